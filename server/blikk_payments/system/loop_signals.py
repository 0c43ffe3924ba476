"""Wait in an event loop for the signals that end a process."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from types import FrameType

import anyio

from blikk_payments.system import PLATFORM
from blikk_payments.system.signals import EXIT_CODES

NextSignal = Callable[[], Awaitable[signal.Signals]]


@contextmanager
def signals_received(platform: str = PLATFORM) -> Generator[NextSignal]:
    """Within the block, ending signals end nothing: what it gives waits for the next one. In the main thread's loop."""
    if platform == "win32":
        with _received_by_handler() as wait:
            yield wait
        return
    with anyio.open_signal_receiver(*EXIT_CODES) as signals:
        yield signals.__anext__


@contextmanager
def _received_by_handler() -> Generator[NextSignal]:
    """Asyncio's loop has no signal handlers on Windows, but is woken by a signal and runs Python's own."""
    loop, arrived = asyncio.get_running_loop(), asyncio.Queue[signal.Signals]()

    def report(number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(arrived.put_nowait, signal.Signals(number))

    before = {number: signal.signal(number, report) for number in EXIT_CODES}
    try:
        yield arrived.get
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
