"""The one thread in which a service makes the ledger calls that wait: the event loop must not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from queue import SimpleQueue
from typing import Any, TypeVar

import anyio

from blikk_payments.collaborators import Blocking
from blikk_payments.errors import BUSY, LedgerUnavailable

T = TypeVar("T")

PATIENCE_SECONDS = 5.0
"""How long a call waits for its turn behind others."""

TOGETHER_AT_MOST = 16
"""How many calls share a commit: other processes wait for it, for some 20 ms then."""


class LedgerThread(Blocking):
    """Makes calls in turn, in a thread that starts with the first one and ends with `close`.

    One thread, because one file takes one call at a time: threads of a pool would only wake each other up. Calls that
    have queued up meanwhile are made `together`, with one durable commit for all of them; if that fails, again one by one.
    """

    def __init__(
        self, together: Callable[[], AbstractContextManager[None]], patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._together = together
        self.patience_seconds = patience_seconds
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
        patience = turn.loop.call_later(self.patience_seconds, turn.give_up)
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
        while turns := self._queued():
            try:
                with self._together() if len(turns) > 1 else nullcontext():
                    for turn in turns:
                        turn.take()
            except BaseException:  # noqa: BLE001 - each of them meets it again, if it was not another one's alone
                # Nothing of it was kept. One call must not cost another one its outcome: now each with its own commit.
                for turn in turns:
                    turn.take()
            # Not before the commit: what is told is acted upon.
            for turn in turns:
                turn.tell()

    def _queued(self) -> list[Turn]:
        """The calls that wait for their turn, at least one; none at the end."""
        turns: list[Turn] = []
        while (turn := self._turns.get()) is not None:
            turns.append(turn)
            if len(turns) == TOGETHER_AT_MOST or self._turns.empty():
                return turns
        # The end is met again, after the calls before it.
        self._turns.put(None)
        return turns


class Turn:
    """A call, and the future of its caller."""

    def __init__(self, call: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.outcome: asyncio.Future[Any] = loop.create_future()
        self._call = call
        self._result: Any = None
        self._error: BaseException | None = None
        # Whoever holds it decides whether the call is made: its turn, or its caller's patience.
        self._decided = threading.Lock()
        self._taken = False

    def give_up(self) -> None:
        """Never make the call, unless its turn has come."""
        if self._decided.acquire(blocking=False):
            self._error = LedgerUnavailable(BUSY)
            self._settle()

    def take(self) -> None:
        """Make the call, unless its caller gave up; made again, only the last time counts. Nobody is told yet."""
        if not self._taken:
            self._taken = self._decided.acquire(blocking=False)
        if not self._taken:
            return
        self._result = self._error = None
        try:
            self._result = self._call()
        except BaseException as caught:  # noqa: BLE001 - it is raised again, where the caller is
            self._error = caught

    def tell(self) -> None:
        """Wake the caller up with what became of the call."""
        # Nobody waits any more if the loop is gone.
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        if self.outcome.done():
            return
        if self._error is None:
            self.outcome.set_result(self._result)
        else:
            self.outcome.set_exception(self._error)
