"""A paying process of the state machine: one of two, on one ledger, in one loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import anyio.lowlevel

from blikk_payments.errors import LedgerUnavailable
from blikk_payments.ledger.opening import open_ledger
from blikk_payments.ledger.processes import ProcessIdentity
from blikk_payments.policy import Policy
from blikk_payments.service import Blocking, PaymentService
from tests.payments.steps.bank import LIMIT_ISK, WINDOW_MINUTES, Bank, SteppedChannel
from tests.payments.steps.loop import VirtualLoop

POLICY = Policy(daily_limit_isk=LIMIT_ISK, creates_per_minute=10_000, duplicate_window_minutes=WINDOW_MINUTES)

T = TypeVar("T")


class Process:
    """A paying process of which nothing but its files outlives a crash."""

    def __init__(self, number: int, place: Path | str, bank: Bank, loop: VirtualLoop) -> None:
        self.identity = ProcessIdentity(host="here", boot="b", namespace="n", pid=number, started="1")
        self.dead = False
        self._calls_left: int | None = None
        self._goes_on = asyncio.Event()
        self._loop = loop
        self._ledger = open_ledger(place, process=self.identity)
        self.service = PaymentService(
            channel=SteppedChannel(bank),
            ledger=self._ledger,
            policy=POLICY,
            now=bank.now,
            run_blocking=cast("Blocking", self._run_blocking),
        )
        self._stop = asyncio.Event()
        self._living = loop.create_task(self._live())
        loop.settle()

    async def _live(self) -> None:
        async with self.service:
            await self._stop.wait()

    async def _run_blocking(self, call: Callable[[], T]) -> T:
        await anyio.lowlevel.checkpoint()
        if self._calls_left is not None:
            self._calls_left -= 1
            if self._calls_left < 0:
                await self._goes_on.wait()
        if self.dead:
            raise LedgerUnavailable("this process is dead")
        return call()

    def stop_after(self, calls: int) -> None:
        """Stop before the next call of the ledger but so many."""
        self._calls_left = calls
        self._goes_on.clear()

    def go_on(self) -> None:
        """Do what it had stopped before."""
        self._calls_left = None
        self._goes_on.set()
        self._loop.settle()

    def crash(self) -> None:
        """Be gone: what goes on in here from now on reaches nobody."""
        self.dead = True
        self._living.cancel()
        self._loop.settle()
        self._ledger.close()

    def shut_down(self) -> None:
        """End in good order."""
        self._stop.set()
        self._loop.settle()
        self._ledger.close()
