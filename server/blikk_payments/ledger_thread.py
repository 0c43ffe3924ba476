"""The one thread in which a service makes its ledger calls: they block, and the event loop must not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

import anyio

from blikk_payments.collaborators import Blocking
from blikk_payments.errors import LedgerUnavailable

T = TypeVar("T")

PATIENCE_SECONDS = 5.0
"""How long a call waits for its turn behind others."""


class LedgerThread(Blocking):
    """Makes calls in turn, in a thread that starts with the first one and ends with `close`.

    One thread, because one file takes one call at a time: threads of a pool would only wake each other up.
    """

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience_seconds = patience_seconds
        self._turns: SimpleQueue[Turn | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    async def __call__(self, call: Callable[[], T], /) -> T:
        """What the call returns or raises; a cancelled caller still waits for its end.

        Raises:
            LedgerUnavailable: another call took so long that this one was never made.
        """
        turn = Turn(call, asyncio.get_running_loop())
        self._turns.put(turn)
        if self._thread is None:
            # A disk that hangs must not keep the process from ending, and the ledger survives worse than that.
            self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)
            self._thread.start()
        patience = turn.loop.call_later(self._patience_seconds, turn.give_up)
        try:
            with anyio.CancelScope(shield=True):
                await turn.outcome
        finally:
            patience.cancel()
        return turn.outcome.result()

    def close(self) -> None:
        """End the thread after the calls that were made before this one."""
        self._turns.put(None)

    def _work(self) -> None:
        while (turn := self._turns.get()) is not None:
            turn.take()


class Turn:
    """A call, and the future of its caller."""

    def __init__(self, call: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.outcome: asyncio.Future[Any] = loop.create_future()
        self._call = call
        # Whoever holds it decides whether the call is made: its turn, or its caller's patience.
        self._decided = threading.Lock()

    def give_up(self) -> None:
        """Never make the call, unless its turn has come."""
        if self._decided.acquire(blocking=False):
            self._settle(None, LedgerUnavailable("The ledger is busy with another task. Try again in a moment."))

    def take(self) -> None:
        """Make the call, unless its caller gave up."""
        if not self._decided.acquire(blocking=False):
            return
        result, error = None, None
        try:
            result = self._call()
        except BaseException as caught:  # noqa: BLE001 - it is raised again, where the caller is
            error = caught
        # Nobody waits any more if the loop is gone.
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._settle, result, error)

    def _settle(self, result: Any, error: BaseException | None) -> None:
        if self.outcome.done():
            return
        if error is None:
            self.outcome.set_result(result)
        else:
            self.outcome.set_exception(error)
