"""Ledger calls from the event loop: in it as long as nothing is waited for, in a thread otherwise. No real disk here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeVar, cast

import anyio
import pytest

from blikk_payments.errors import LedgerUnavailable, PolicyDenied, WouldWait
from blikk_payments.ledger.calls import REST_FACTOR, SLOW_SECONDS, LedgerCalls
from blikk_payments.ledger.protocol import Ledger

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

T = TypeVar("T")


class Scripted:
    """Stands for a ledger that has to wait, or not, as it is told; and for the clock that its calls are timed by."""

    def __init__(self) -> None:
        self.would_wait = False
        self.now = 0.0
        self.tried_at_once = 0
        self.commits: list[int] = []
        self._made = 0

    def at_once(self, call: Callable[[], T], /) -> T:
        """See `Ledger.at_once`."""
        self.tried_at_once += 1
        if self.would_wait:
            raise WouldWait("somebody holds the lock")
        return call()

    @contextmanager
    def together(self) -> Generator[None]:
        """See `Ledger.together`; notes how many calls a shared commit had."""
        before = self._made
        yield
        self.commits.append(self._made - before)

    def call(self, seconds: float = 0.0, error: Exception | None = None) -> Callable[[], str]:
        """A call that takes so long, and tells where it was made or raises."""

        def make() -> str:
            self._made += 1
            self.now += seconds
            if error is not None:
                raise error
            return "loop" if threading.current_thread() is threading.main_thread() else "thread"

        return make

    @property
    def calls_made(self) -> int:
        """How many calls there were."""
        return self._made


@pytest.fixture
def ledger() -> Scripted:
    """One that need not wait."""
    return Scripted()


@pytest.fixture
def calls(ledger: Scripted) -> Generator[LedgerCalls]:
    """The way to it."""
    calls = LedgerCalls(cast("Ledger", ledger), clock=lambda: ledger.now)
    yield calls
    calls.close()


async def test_a_call_that_waits_for_nothing_needs_no_thread(ledger: Scripted, calls: LedgerCalls) -> None:
    """Two changes of threads take longer than a commit on a good disk."""
    threads = set(threading.enumerate())

    assert [await calls(ledger.call()) for _ in range(3)] == ["loop"] * 3
    assert set(threading.enumerate()) == threads


async def test_a_call_that_would_wait_is_made_in_the_thread_and_once(ledger: Scripted, calls: LedgerCalls) -> None:
    """The event loop waits for no lock, whoever holds it."""
    ledger.would_wait = True

    assert await calls(ledger.call()) == "thread"
    assert ledger.calls_made == 1

    ledger.would_wait = False
    assert await calls(ledger.call()) == "loop"


async def test_calls_behind_one_in_the_thread_wait_their_turn_and_share_a_commit(
    ledger: Scripted, calls: LedgerCalls
) -> None:
    """Whoever came first claims first; and on a slow disk a shared commit is what helps."""
    entered, leave = threading.Event(), threading.Event()
    tries, made = list[int](), list[tuple[str, str]]()

    def hold() -> str:
        entered.set()
        leave.wait()
        return ledger.call()()

    async def make(name: str, call: Callable[[], str]) -> None:
        made.append((name, await calls(call)))

    async with anyio.create_task_group() as tasks:
        ledger.would_wait = True
        tasks.start_soon(make, "first", hold)
        while not entered.is_set():
            await anyio.lowlevel.checkpoint()
        ledger.would_wait = False
        for name in ("second", "third", "fourth"):
            tasks.start_soon(make, name, ledger.call())
        await anyio.wait_all_tasks_blocked()
        tries.append(ledger.tried_at_once)
        leave.set()

    assert tries == [1]
    assert made == [(name, "thread") for name in ("first", "second", "third", "fourth")]
    assert ledger.commits == [3]
    assert await calls(ledger.call()) == "loop"


@pytest.mark.parametrize("error", [None, PolicyDenied("no room")])
async def test_after_a_slow_call_the_event_loop_is_spared(
    ledger: Scripted, calls: LedgerCalls, error: Exception | None
) -> None:
    """A disk that has become slow takes a hundredth of the loop's time at most, also where its calls fail."""
    seconds = 2 * SLOW_SECONDS
    with pytest.raises(PolicyDenied) if error else anyio.CancelScope():
        assert await calls(ledger.call(seconds, error)) == "loop"
    ended = ledger.now

    places = list[str]()
    for share in (0.0, 0.5, 0.99, 1.01):
        ledger.now = ended + share * REST_FACTOR * seconds
        places.append(await calls(ledger.call()))

    assert places == ["thread", "thread", "thread", "loop"]


async def test_a_call_as_quick_as_promised_spares_nothing(ledger: Scripted, calls: LedgerCalls) -> None:
    """A good disk's ordinary commit, or the one in hundreds that folds the log in."""
    assert await calls(ledger.call(SLOW_SECONDS)) == "loop"
    assert await calls(ledger.call()) == "loop"


async def test_a_slow_call_in_the_thread_costs_the_event_loop_nothing(ledger: Scripted, calls: LedgerCalls) -> None:
    """The wait for somebody's lock says nothing of the disk."""
    ledger.would_wait = True
    assert await calls(ledger.call(100 * SLOW_SECONDS)) == "thread"
    ledger.would_wait = False

    assert await calls(ledger.call()) == "loop"


@pytest.mark.parametrize("would_wait", [False, True])
@pytest.mark.parametrize("error", [PolicyDenied("no room"), LedgerUnavailable("the disk is full")])
async def test_what_a_call_raises_reaches_its_caller_and_it_is_not_made_again(
    ledger: Scripted, calls: LedgerCalls, error: Exception, would_wait: bool
) -> None:
    """Errors of the ledger are the caller's to tell."""
    ledger.would_wait = would_wait
    with pytest.raises(type(error), match=str(error)):
        await calls(ledger.call(error=error))

    assert ledger.calls_made == 1
    ledger.would_wait = False
    assert await calls(ledger.call()) == "loop"


async def test_a_cancelled_caller_hears_of_its_call_either_way(ledger: Scripted, calls: LedgerCalls) -> None:
    """What a claim became must never be lost between the ledger and its caller."""
    heard = list[str]()
    for would_wait in (False, True):
        ledger.would_wait = would_wait
        with anyio.CancelScope() as scope:
            scope.cancel()
            heard.append(await calls(ledger.call()))

    assert heard == ["loop", "thread"]
