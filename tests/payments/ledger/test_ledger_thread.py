"""Ledger calls off the event loop: in turn, to their end, and with a bound on waiting. All in real time, with threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

import anyio
import anyio.lowlevel
import pytest

from blikk_payments.errors import LedgerUnavailable, PolicyDenied
from blikk_payments.ledger.pool import TOGETHER_AT_MOST, LedgerThread, Turn

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]


class Commits:
    """Stands for a ledger: writes down when a joint commit begins and ends, and can fail at either."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.fails_at = ""

    @contextmanager
    def together(self) -> Generator[None]:
        """See `Ledger.together`."""
        self._reach("begin")
        yield
        self._reach("commit")

    def call(self, name: str, error: Exception | None = None) -> Callable[[], str]:
        """A call that writes down that it was made, and then returns its name or raises."""

        def make() -> str:
            self.events.append(name)
            if error is not None:
                raise error
            return name

        return make

    def _reach(self, moment: str) -> None:
        self.events.append(moment)
        if moment == self.fails_at:
            raise LedgerUnavailable(f"no {moment}")


@pytest.fixture
def commits() -> Commits:
    """The commits of `ledger_thread`."""
    return Commits()


@pytest.fixture
def ledger_thread(commits: Commits) -> Generator[LedgerThread]:
    """One that has not started yet."""
    thread = LedgerThread(commits.together)
    yield thread
    thread.close()


LONG = 60.0
"""Seconds that no call waits on any machine."""


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
    thread = LedgerThread(Commits().together, patience_seconds=0.01)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(thread, held)
        await held.has_begun()
        with pytest.raises(LedgerUnavailable, match="busy with another task"):
            await thread(lambda: made.append(1))
        thread.patience_seconds = LONG
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
    worker.join()
    turn.tell()
    assert await turn.outcome == "done"


async def made_behind(thread: LedgerThread, *calls: Callable[[], str]) -> list[str]:
    """What came of calls that queued up behind another one, in their order; an error as its text."""
    held, told = Held(), dict[int, str]()

    async def make(number: int, call: Callable[[], str]) -> None:
        try:
            told[number] = await thread(call)
        except (LedgerUnavailable, PolicyDenied) as error:
            told[number] = error.message

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(thread, held)
        await held.has_begun()
        for number, call in enumerate(calls):
            tasks.start_soon(make, number, call)
        await anyio.wait_all_tasks_blocked()
        held.leave.set()
    return [told[number] for number in range(len(calls))]


async def test_calls_that_queued_up_share_a_commit(ledger_thread: LedgerThread, commits: Commits) -> None:
    """The one that they waited behind, alone, makes its own."""
    told = await made_behind(ledger_thread, *(commits.call(name) for name in "abc"))

    assert commits.events == ["begin", "a", "b", "c", "commit"]
    assert told == ["a", "b", "c"]


async def test_nobody_is_told_before_the_commit(ledger_thread: LedgerThread, commits: Commits) -> None:
    """A request that goes out before its claim is durable can be sent again after a crash."""
    told: list[str] = []
    commit_reached, may_commit = threading.Event(), threading.Event()

    def slow_commit() -> str:
        commit_reached.set()
        may_commit.wait()
        return "last"

    async def first() -> None:
        told.append(await ledger_thread(commits.call("first")))

    held = Held()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ledger_thread, held)
        await held.has_begun()
        tasks.start_soon(first)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(ledger_thread, slow_commit)
        await anyio.wait_all_tasks_blocked()
        held.leave.set()
        while not commit_reached.is_set():
            await anyio.lowlevel.checkpoint()
        await anyio.wait_all_tasks_blocked()
        assert commits.events == ["begin", "first"]
        assert told == []
        may_commit.set()
    assert told == ["first"]


@pytest.mark.parametrize("moment", ["begin", "commit"])
async def test_calls_whose_commit_fails_are_made_again_one_by_one(
    ledger_thread: LedgerThread, commits: Commits, moment: str
) -> None:
    """Nothing of it was kept; and a call that spoils it for all must not cost another payment its outcome."""
    commits.fails_at = moment

    told = await made_behind(ledger_thread, commits.call("a"), commits.call("b", PolicyDenied("no room")))

    together = ["begin", "a", "b", "commit"]
    assert commits.events == [*together[: together.index(moment) + 1], "a", "b"]
    assert told == ["a", "no room"]


async def test_what_a_call_made_again_did_before_does_not_count(ledger_thread: LedgerThread, commits: Commits) -> None:
    """Only what it returned or raised with a commit of its own is true."""
    commits.fails_at = "commit"
    denials = [PolicyDenied("denied for a payment that was not kept")]

    def denied_once() -> str:
        if denials:
            raise denials.pop()
        return "let through"

    def denied_later() -> str:
        if commits.events[-1] == "commit":
            raise LedgerUnavailable("the disk is full")
        return "let through"

    assert await made_behind(ledger_thread, denied_once, denied_later) == ["let through", "the disk is full"]


async def test_a_call_given_up_is_not_made_again(commits: Commits) -> None:
    """Its caller has been told."""
    commits.fails_at = "commit"
    held, thread = Held(), LedgerThread(commits.together, patience_seconds=0.01)
    kept: list[str] = []

    async def keep() -> None:
        kept.append(await thread(commits.call("c")))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(thread, held)
        await held.has_begun()
        with pytest.raises(LedgerUnavailable, match="busy with another task"):
            await thread(commits.call("a"))
        thread.patience_seconds = LONG
        tasks.start_soon(keep)
        await anyio.wait_all_tasks_blocked()
        held.leave.set()
    assert commits.events == ["begin", "c", "commit", "c"]
    assert kept == ["c"]
    thread.close()


async def test_a_call_that_raises_leaves_the_others_of_its_commit_alone(
    ledger_thread: LedgerThread, commits: Commits
) -> None:
    """One payment's denial is nobody else's."""
    told = await made_behind(ledger_thread, commits.call("a", PolicyDenied("no room")), commits.call("b"))

    assert commits.events == ["begin", "a", "b", "commit"]
    assert told == ["no room", "b"]


async def test_a_commit_is_shared_by_a_bounded_number(ledger_thread: LedgerThread, commits: Commits) -> None:
    """Other processes wait for the file meanwhile."""
    await made_behind(ledger_thread, *[commits.call("call")] * (2 * TOGETHER_AT_MOST + 1))

    joint = ["begin", *["call"] * TOGETHER_AT_MOST, "commit"]
    assert commits.events == [*joint, *joint, "call"]


async def test_a_call_given_up_is_not_made_with_those_it_queued_with(commits: Commits) -> None:
    """Its caller was told that nothing was done."""
    held, thread = Held(), LedgerThread(commits.together, patience_seconds=0.01)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(thread, held)
        await held.has_begun()
        for name in "ab":
            with pytest.raises(LedgerUnavailable, match="busy with another task"):
                await thread(commits.call(name))
        thread.patience_seconds = LONG
        held.leave.set()
    assert await thread(commits.call("c")) == "c"
    assert commits.events in (["begin", "commit", "c"], ["begin", "c", "commit"])
    thread.close()


async def test_closing_waits_for_no_call_and_loses_none(commits: Commits) -> None:
    """The end is met after the calls before it, though it was queued up with them."""
    thread, held = LedgerThread(commits.together), Held()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(thread, held)
        await held.has_begun()
        for name in "ab":
            tasks.start_soon(thread, commits.call(name))
        await anyio.wait_all_tasks_blocked()
        thread.close()
        held.leave.set()
    assert commits.events == ["begin", "a", "b", "commit"]


def test_an_event_loop_that_is_gone_ends_no_thread(anyio_backend: str) -> None:
    """A process that is being stopped leaves calls behind."""
    held, thread = Held(), LedgerThread(Commits().together)

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
    thread, workers = LedgerThread(Commits().together), list[threading.Thread]()
    await thread(lambda: workers.append(threading.current_thread()))
    thread.close()
    workers[0].join(timeout=60)
    assert not workers[0].is_alive()
