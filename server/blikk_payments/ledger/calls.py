"""The way from the event loop to the ledger: right away where nothing is waited for, otherwise over a thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from blikk_payments.collaborators import Blocking
from blikk_payments.errors import WouldWait
from blikk_payments.ledger.pool import LedgerThread
from blikk_payments.ledger.protocol import Ledger

T = TypeVar("T")

SLOW_SECONDS = 0.01
"""How long a call in the event loop may take; what takes longer is the disk."""

REST_FACTOR = 100
"""After a slow call the thread makes them, for so many times as long: what a bad disk takes of the loop is a hundredth."""


class LedgerCalls(Blocking):
    """Makes a call in the event loop if that waits for no lock and the disk has been quick, else in a `LedgerThread`.

    A commit on a good disk takes a fraction of what two changes of threads take. Calls behind one that is in the thread
    go there too, in turn, and share its commits.
    """

    def __init__(self, ledger: Ledger, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger = ledger
        self._clock = clock
        self._thread = LedgerThread(ledger.together)
        self._in_thread = 0
        self._rests_until = -float("inf")

    async def __call__(self, call: Callable[[], T], /) -> T:
        """What the call returns or raises; a cancelled caller still waits for its end.

        Raises:
            LedgerUnavailable: another call took so long that this one was never made.
        """
        started = self._clock()
        if not self._in_thread and started >= self._rests_until:
            try:
                return self._ledger.at_once(call)
            except WouldWait:
                # Nothing was done of it.
                pass
            finally:
                if (took := self._clock() - started) > SLOW_SECONDS:
                    self._rests_until = started + took + REST_FACTOR * took
        self._in_thread += 1
        try:
            return await self._thread(call)
        finally:
            self._in_thread -= 1

    def close(self) -> None:
        """End the thread after the calls that were made before this one."""
        self._thread.close()
