"""A clock that goes on while the machine sleeps."""

from __future__ import annotations

import sys
import time

from blikk_payments.system import PLATFORM

_COUNTS_SLEEP = {"linux": "CLOCK_BOOTTIME", "darwin": "CLOCK_MONOTONIC_RAW"}
"""By clock_gettime(2) of Linux and of macOS. `time.monotonic` stands still in sleep on both; on Windows it does not."""


def seconds_since_boot(platform: str = PLATFORM) -> float:
    """A clock that nobody sets, and that goes on while the machine sleeps where there is one."""
    clock: int | None = getattr(time, _COUNTS_SLEEP.get(platform, ""), None)
    if sys.platform == "win32" or clock is None:
        return time.monotonic()
    return time.clock_gettime(clock)
