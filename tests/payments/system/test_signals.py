"""The signals that end a process, as an event loop hears of them."""

from __future__ import annotations

import signal

import anyio
import pytest

from blikk_payments.system import clocks
from blikk_payments.system.clocks import seconds_since_boot
from blikk_payments.system.loop_signals import signals_received
from blikk_payments.system.signals import EXIT_CODES

LIMIT_SECONDS = 10


@pytest.mark.anyio
@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_is_told_and_ends_nothing_else(platform: str, number: signal.Signals) -> None:
    """On Windows asyncio's loop takes no signal handlers: Python's own wakes it there."""
    before = [signal.getsignal(one) for one in EXIT_CODES]
    with signals_received(platform) as next_signal, anyio.fail_after(LIMIT_SECONDS):
        for _ in range(2):
            signal.raise_signal(number)
            assert await next_signal() == number
    if platform == "win32":
        assert [signal.getsignal(one) for one in EXIT_CODES] == before


def test_exit_codes_are_the_convention() -> None:
    """128 + n."""
    assert EXIT_CODES[signal.SIGTERM] == 143
    assert EXIT_CODES[signal.SIGINT] == 130


@pytest.mark.parametrize(
    ("platform", "name"), [("linux", "CLOCK_BOOTTIME"), ("darwin", "CLOCK_MONOTONIC_RAW"), ("win32", "")]
)
def test_the_clock_is_one_that_goes_on_in_sleep(platform: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """clock_gettime(2) of Linux and macOS; on Windows `time.monotonic` goes on by itself."""
    monkeypatch.setattr(clocks.time, "CLOCK_BOOTTIME", 7, raising=False)
    monkeypatch.setattr(clocks.time, "CLOCK_MONOTONIC_RAW", 4, raising=False)
    monkeypatch.setattr(clocks.time, "clock_gettime", {7: 70.0, 4: 40.0}.__getitem__)
    monkeypatch.setattr(clocks.time, "monotonic", lambda: 10.0)
    assert seconds_since_boot(platform) == {"CLOCK_BOOTTIME": 70.0, "CLOCK_MONOTONIC_RAW": 40.0, "": 10.0}[name]
