"""Run ledger calls in worker threads, so that the event loop never waits for a disk or a lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio import to_thread

from blikk_payments.collaborators import Blocking
from blikk_payments.errors import BUSY, LedgerUnavailable

T = TypeVar("T")

SQLITE_TURNS = 1
"""One file takes one call at a time."""

POSTGRES_TURNS = 8
"""As many as the database has connections of ours."""

PATIENCE_SECONDS = 5.0
"""How long a call waits for its turn behind others."""


class LedgerPool(Blocking):
    """Makes so many ledger calls at a time, each in a thread. Belongs to one event loop."""

    def __init__(self, turns: int = SQLITE_TURNS, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._turns = turns
        self._patience_seconds = patience_seconds
        self._limiter: anyio.CapacityLimiter | None = None

    async def __call__(self, call: Callable[[], T], /) -> T:
        """What the call returns or raises. A cancelled caller still waits for its end: a transaction is not cancelled.

        Raises:
            LedgerUnavailable: others took so long that this call was never begun.
        """
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self._turns)
        with anyio.CancelScope(shield=True):
            # Only the wait for a turn can be given up: once begun, `run_sync` shields the call from this scope, too.
            with anyio.move_on_after(self._patience_seconds):
                return await to_thread.run_sync(call, limiter=self._limiter)
        raise LedgerUnavailable(BUSY)
