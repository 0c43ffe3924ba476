"""Ledger calls off the event loop: to their end, and with a bound on waiting. All in real time, with threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.lowlevel
import pytest
from anyio import to_thread

from blikk_payments.errors import LedgerUnavailable, PolicyDenied
from blikk_payments.ledger.pool import LedgerPool
from blikk_payments.ledger.sqlite.engine import BUSY_TIMEOUT_SECONDS

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

PATIENCE_SECONDS = 20.0
CLIENTS_PATIENCE_SECONDS = 60.0

T = TypeVar("T")


class Held:
    """A call that ends when it is let go."""

    def __init__(self) -> None:
        self.entered, self.leave = threading.Event(), threading.Event()
        self.thread = 0
        self.told: list[str] = []

    def __call__(self) -> str:
        self.thread = threading.get_ident()
        self.entered.set()
        # Bounded: a thread that is waited for cannot be cancelled, and a test that fails must end.
        assert self.leave.wait(PATIENCE_SECONDS)
        return "done"

    async def made_in(self, pool: LedgerPool) -> None:
        """Have it made, and keep what came of it."""
        self.told.append(await pool(self))

    async def has_begun(self) -> None:
        """Return once the call is being made. The event loop turns meanwhile, or this would never end."""
        with anyio.fail_after(PATIENCE_SECONDS):
            while not self.entered.is_set():
                await anyio.lowlevel.checkpoint()


async def test_the_event_loop_turns_while_a_call_waits() -> None:
    """the loop never waits for a disk or a lock."""
    held, pool = Held(), LedgerPool()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(held.made_in, pool)
        await held.has_begun()
        assert held.told == []
        held.leave.set()
    assert held.told == ["done"]
    assert held.thread != threading.get_ident()


@pytest.mark.parametrize("turns", [1, 2])
async def test_no_more_calls_run_at_a_time_than_there_are_turns(turns: int) -> None:
    """One file takes one call at a time; a database as many as it has connections."""
    pool, helds = LedgerPool(turns), [Held() for _ in range(3)]

    async with anyio.create_task_group() as tasks:
        for held in helds:
            tasks.start_soon(pool, held)
        for held in helds[:turns]:
            await held.has_begun()
        await anyio.wait_all_tasks_blocked()
        assert [held.entered.is_set() for held in helds] == [True] * turns + [False] * (3 - turns)
        for held in helds:
            held.leave.set()
    assert all(held.entered.is_set() for held in helds)


async def test_what_a_call_raises_reaches_its_caller_and_ends_nothing() -> None:
    """A refusal is an answer."""
    pool = LedgerPool()

    def deny() -> None:
        raise PolicyDenied("no room")

    with pytest.raises(PolicyDenied, match="no room"):
        await pool(deny)
    assert await pool(lambda: 1) == 1


async def test_a_cancelled_caller_still_waits_for_its_call() -> None:
    """A transaction cannot be cancelled, and what it did must not be lost."""
    held, pool = Held(), LedgerPool()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(held.made_in, pool)
        await held.has_begun()
        tasks.cancel_scope.cancel()
        held.leave.set()
    assert held.told == ["done"]


async def test_a_call_behind_one_that_hangs_is_given_up_and_never_made() -> None:
    """Every wait has a bound; a payment that was given up must not be claimed later."""
    held, pool = Held(), LedgerPool(patience_seconds=0.001)
    made: list[int] = []

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pool, held)
        await held.has_begun()
        with pytest.raises(LedgerUnavailable, match="busy with another task"):
            await pool(lambda: made.append(1))
        held.leave.set()
    await pool(lambda: None)
    assert made == []


async def test_a_call_that_has_begun_is_waited_for_beyond_anybody_s_patience() -> None:
    """What was begun may be written; "busy, nothing was sent" would be a guess."""
    held, pool = Held(), LedgerPool(patience_seconds=0.001)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(held.made_in, pool)
        await held.has_begun()
        until = anyio.current_time() + 0.01
        while anyio.current_time() < until:
            await anyio.lowlevel.checkpoint()
        assert held.told == []
        held.leave.set()
    assert held.told == ["done"]


async def test_nobody_waits_for_a_turn_and_a_file_until_the_client_has_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Clients give up a call after 60 s: one that waits longer is answered with nothing, though it may yet be made."""
    left: list[float] = []

    async def run_sync(call: Callable[[], T], *, limiter: anyio.CapacityLimiter) -> T:
        del limiter
        left.append(anyio.current_effective_deadline() - anyio.current_time())
        return call()

    monkeypatch.setattr(to_thread, "run_sync", run_sync)

    assert await LedgerPool()(lambda: "made") == "made"
    assert left[0] + BUSY_TIMEOUT_SECONDS <= CLIENTS_PATIENCE_SECONDS / 2
