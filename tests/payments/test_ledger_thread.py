"""Ledger calls off the event loop: in turn, to their end, and with a bound on waiting. All in real time, with threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator

import anyio
import anyio.lowlevel
import pytest

from blikk_payments.errors import LedgerUnavailable
from blikk_payments.ledger_thread import LedgerThread, Turn

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]


@pytest.fixture
def ledger_thread() -> Generator[LedgerThread]:
    """One that has not started yet."""
    thread = LedgerThread()
    yield thread
    thread.close()


class Held:
    """A call that ends when it is let go."""

    def __init__(self) -> None:
        self.entered, self.leave = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.entered.set()
        self.leave.wait()
        return "done"

    async def has_begun(self) -> None:
        """Return once the call is being made."""
        while not self.entered.is_set():
            await anyio.lowlevel.checkpoint()


async def test_calls_are_made_in_turn_and_in_one_thread(ledger_thread: LedgerThread) -> None:
    """One file takes one call at a time."""
    made: list[tuple[int, int]] = []

    async def call(number: int) -> None:
        await ledger_thread(lambda: made.append((number, threading.get_ident())))

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(call, number)
    assert [number for number, _ in made] == list(range(20))
    (thread,) = {thread for _, thread in made}
    assert thread != threading.get_ident()


async def test_what_a_call_raises_reaches_its_caller_and_ends_no_thread(ledger_thread: LedgerThread) -> None:
    """Errors of the ledger are the caller's to tell."""

    def fail() -> None:
        raise LedgerUnavailable("the disk is full")

    with pytest.raises(LedgerUnavailable, match="the disk is full"):
        await ledger_thread(fail)
    assert await ledger_thread(lambda: 7) == 7


async def test_a_cancelled_caller_still_waits_for_its_call(ledger_thread: LedgerThread) -> None:
    """What a claim became must never be lost between the ledger and its caller."""
    held, heard = Held(), list[str]()

    async def call() -> None:
        heard.append(await ledger_thread(held))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        await held.has_begun()
        tasks.cancel_scope.cancel()
        held.leave.set()
    assert heard == ["done"]


async def test_a_call_behind_one_that_hangs_is_given_up_and_never_made() -> None:
    """Every wait has a bound; and what was reported as not done must not be done later."""
    held, made = Held(), list[int]()
    thread = LedgerThread(patience_seconds=0.01)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(thread, held)
        await held.has_begun()
        with pytest.raises(LedgerUnavailable, match="busy with another task"):
            await thread(lambda: made.append(1))
        held.leave.set()
    await thread(lambda: made.append(2))
    assert made == [2]
    thread.close()


async def test_a_call_that_has_begun_is_waited_for_beyond_anybody_s_patience() -> None:
    """Its end decides what is true; only a call that was never made may be given up."""
    held = Held()
    turn = Turn(held, asyncio.get_running_loop())
    worker = threading.Thread(target=turn.take)
    worker.start()
    await held.has_begun()
    turn.give_up()
    assert not turn.outcome.done()
    held.leave.set()
    assert await turn.outcome == "done"
    worker.join()


def test_an_event_loop_that_is_gone_ends_no_thread(anyio_backend: str) -> None:
    """A process that is being stopped leaves calls behind."""
    held, thread = Held(), LedgerThread()

    async def leave_one_behind() -> None:
        task = asyncio.ensure_future(thread(held))
        await held.has_begun()
        task.cancel()

    asyncio.run(leave_one_behind())
    held.leave.set()

    async def call() -> int:
        return await thread(lambda: 7)

    assert asyncio.run(call()) == 7
    thread.close()


async def test_the_thread_ends_with_its_last_call() -> None:
    """Nothing of a closed service goes on."""
    thread, workers = LedgerThread(), list[threading.Thread]()
    await thread(lambda: workers.append(threading.current_thread()))
    thread.close()
    workers[0].join(timeout=60)
    assert not workers[0].is_alive()
