"""Waiting for a payment, in virtual time: when it returns, what a failed read costs, and how few requests it takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import cast

import anyio
import pytest
import trio
import trio.testing

from blikk_payments.channel.backoff import MAX_RETRY_AFTER_SECONDS
from blikk_payments.channel.wire import FAILED, NEEDS_PERSON, TERMINAL, ChannelPayment, Status
from blikk_payments.errors import LedgerUnavailable, OutcomeUnknown, StatusUnavailable
from blikk_payments.models import ClaimState, Payment
from blikk_payments.polling import ENDS_A_WAIT, MAX_READS_AT_ONCE, ROUTINE_GAP_SECONDS, Poller
from blikk_payments.schedule import PollSchedule
from blikk_payments.snapshot import Snapshot
from tests.expecting import assert_snapshot
from tests.payments.doubles import (
    LEDGER,
    BreakableLedger,
    EvenSchedule,
    ScriptedChannel,
    ServiceHarness,
    Step,
    after,
    never,
    paying,
    service_over,
    unread,
)
from tests.payments.factories import KEY, LINK, NEWER_LINK, a_record, an_intent, answer, numbered

pytestmark = pytest.mark.anyio

OPEN = [Status.DRAFT, Status.PENDING, Status.SCA_REQUIRED, Status.SCA_COMPLETE, Status.OTHER]
ENDS_AT_ONCE = [(401, "unauthorized"), (403, "wrong_channel"), (404, "not_found")]
PASSES = [None, 200, 302, 400, 405, 408, 409, 422, 429, 500, 502, 503]


def to_the_end(payment: Payment) -> bool:
    """A person is informed already: only the end ends the wait."""
    return False


def for_a_person(payment: Payment) -> bool:
    """Somebody has to be told as soon as there is something to do."""
    return payment.status in NEEDS_PERSON


async def wait(
    house: ServiceHarness,
    seconds: float = 25,
    payment_id: str = "pay-1",
    *,
    until: Callable[[Payment], bool] = to_the_end,
    tick: Callable[[float, Payment | None], Awaitable[None]] | None = None,
) -> Snapshot:
    """Wait for a payment, the usual one unless another is given."""
    return await house.service.wait(payment_id, seconds=seconds, until=until, tick=tick)


def code(snapshot: Snapshot) -> str:
    """The error code of a snapshot."""
    return snapshot.error.code if snapshot.error else ""


async def create(house: ServiceHarness) -> float:
    """Make the usual payment; the second at which it stands."""
    await house.service.create(an_intent())
    house.channel.read_at.clear()
    return anyio.current_time()


# When it returns


@pytest.mark.parametrize("status", sorted(TERMINAL))
async def test_it_returns_when_the_payment_is_final(tmp_path: Path, status: Status) -> None:
    """await_payment returns when the payment is final."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as house:
        await create(house)
        house.channel.tell("pay-1", status, at=7)
        snapshot = await wait(house)
        assert_snapshot(snapshot, status=status, final=True, code="")
        assert 7 <= anyio.current_time() <= 8.5


@pytest.mark.parametrize("status", sorted(NEEDS_PERSON))
async def test_it_returns_when_a_person_has_to_act_and_was_not_told(tmp_path: Path, status: Status) -> None:
    """Returns when a person has to act and `human_informed` is false."""
    async with paying(tmp_path, answer(Status.PENDING)) as house:
        house.channel.tell("pay-1", Status.PENDING)
        house.channel.tell("pay-1", status, LINK, at=10)
        await create(house)
        snapshot = await wait(house, until=for_a_person)
        assert_snapshot(snapshot, status=status, approval_url=LINK, fresh=True)
        assert 10 <= anyio.current_time() <= 11.5


@pytest.mark.parametrize("status", OPEN)
async def test_when_the_time_is_up_it_returns_the_state_so_far(tmp_path: Path, status: Status) -> None:
    """Returns when the time is up: neither success nor failure, and polling can go on."""
    async with paying(tmp_path, answer(Status.PENDING)) as house:
        house.channel.tell("pay-1", status)
        started = await create(house)
        snapshot = await wait(house, 25)
        assert_snapshot(snapshot, status=status, final=False, code="")
        assert anyio.current_time() - started == pytest.approx(25, abs=0.1)


async def test_no_seconds_at_all_look_once(tmp_path: Path) -> None:
    """wait_seconds: 0 or more; 0 looks once."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as house:
        started = await create(house)
        house.channel.tell("pay-1", Status.SCA_COMPLETE)
        snapshot = await wait(house, 0)
        assert (snapshot.payment.status, snapshot.fresh) == (Status.SCA_COMPLETE, True)
        assert (len(house.channel.read_at), anyio.current_time() - started) == (1, pytest.approx(0, abs=0.1))


async def test_a_look_waits_for_its_answer_but_not_for_ever(tmp_path: Path) -> None:
    """0 looks once: with the time that one answer takes, and a bound."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as house:
        await create(house)
        house.channel.reads.append(after(2, answer(Status.SUCCESS, payment_id="pay-1")))
        assert (await wait(house, 0)).payment.status is Status.SUCCESS
    async with paying(tmp_path / "other", answer(Status.SCA_REQUIRED, LINK)) as house:
        started = await create(house)
        house.channel.every_read = never
        snapshot = await wait(house, 0)
        assert (snapshot.payment.status, code(snapshot)) == (Status.SCA_REQUIRED, "blikk_unavailable")
        assert anyio.current_time() - started <= 15


@pytest.mark.parametrize("seconds", [0, 1, 2, 3, 5, 45])
async def test_a_wait_ends_soon_after_its_time_when_blikk_hangs(tmp_path: Path, seconds: float) -> None:
    """A wait ends at most 3 s after its time: a client that asked for one second gives up soon after."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as house:
        started = await create(house)
        house.channel.every_read = never
        snapshot = await wait(house, seconds)
        assert (snapshot.payment.status, code(snapshot)) == (Status.SCA_REQUIRED, "blikk_unavailable")
        assert anyio.current_time() - started == pytest.approx(max(seconds, 2.5), abs=0.1)


@pytest.mark.parametrize("hangs_after", [1, 2])
async def test_a_wait_whose_later_reads_hang_ends_at_its_time(tmp_path: Path, hangs_after: int) -> None:
    """With an answer already in hand there is nothing to wait longer for."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as house:
        started = await create(house)
        house.channel.reads.extend([answer(Status.SCA_REQUIRED, LINK, payment_id="pay-1")] * hangs_after)
        house.channel.every_read = never
        snapshot = await wait(house, 5)
        assert (snapshot.payment.status, snapshot.fresh) == (Status.SCA_REQUIRED, True)
        assert anyio.current_time() - started == pytest.approx(5, abs=0.1)


async def test_a_final_payment_is_told_from_the_ledger(tmp_path: Path) -> None:
    """A terminal status never changes, so Blikk is not asked."""
    async with paying(tmp_path, answer(Status.SUCCESS)) as house:
        started = await create(house)
        snapshot = await wait(house)
        assert (snapshot.payment.status, house.channel.read_at) == (Status.SUCCESS, [])
        assert anyio.current_time() == started


async def test_a_success_that_comes_after_the_wait_is_seen_by_the_next_question(tmp_path: Path) -> None:
    """A SUCCESS can come late, after we stopped waiting: it is neither lost nor paid again."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as house:
        await create(house)
        house.channel.tell("pay-1", Status.SCA_COMPLETE, at=5)
        house.channel.tell("pay-1", Status.SUCCESS, at=600)
        assert (await wait(house, 45)).payment.status is Status.SCA_COMPLETE
        await anyio.sleep(600)
        assert (await house.service.status(payment_id="pay-1")).payment.status is Status.SUCCESS
        assert (await wait(house)).payment.status is Status.SUCCESS
        again = await house.service.create(an_intent())
        assert_snapshot(again, status=Status.SUCCESS, replayed=True)
        assert house.posts == 1


async def test_a_late_rejection_after_approval_is_seen(tmp_path: Path) -> None:
    """An accepted payment can still be REJECTED at settlement, minutes later (public code)."""
    async with paying(tmp_path, answer(Status.SCA_COMPLETE)) as house:
        await create(house)
        house.channel.tell("pay-1", Status.REJECTED, at=200)
        assert (await wait(house, 300)).payment.status is Status.REJECTED


async def test_statuses_in_any_order_end_with_the_last_one(tmp_path: Path) -> None:
    """The order of statuses varies; an unknown one is neither success nor failure."""
    async with paying(tmp_path, answer(Status.PENDING)) as house:
        await create(house)
        for second, status in enumerate([Status.OTHER, Status.DRAFT, Status.SCA_REQUIRED, Status.PENDING], start=4):
            house.channel.tell("pay-1", status, at=second)
        house.channel.tell("pay-1", Status.SUCCESS, at=9)
        assert (await wait(house)).payment.status is Status.SUCCESS


async def test_a_payment_that_only_blikk_knows_can_be_waited_for(tmp_path: Path) -> None:
    """An unknown payment_id asks Blikk, and so does await_payment."""
    async with paying(tmp_path) as house:
        house.channel.tell("pay-77", Status.PENDING)
        house.channel.tell("pay-77", Status.SUCCESS, at=5)
        snapshot = await wait(house, payment_id="pay-77")
        assert snapshot.payment.status is Status.SUCCESS
        assert snapshot.payment.payment_id == "pay-77"
        assert snapshot.record is None


# Reads that fail


@pytest.mark.parametrize(("status", "expected"), ENDS_AT_ONCE)
async def test_a_read_that_is_refused_ends_the_wait_at_once(tmp_path: Path, status: int, expected: str) -> None:
    """401, 403 and 404 end a wait at once; the last known outcome is kept."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as house:
        started = await create(house)
        house.channel.every_read = unread(status)
        snapshot = await wait(house)
        assert_snapshot(snapshot, status=Status.SCA_REQUIRED, code=expected, fresh=False)
        assert (len(house.channel.read_at), anyio.current_time() - started) == (1, pytest.approx(0, abs=0.1))


@pytest.mark.parametrize("status", PASSES)
async def test_any_other_failed_read_does_not_end_the_wait(tmp_path: Path, status: int | None) -> None:
    """503, 429, garbage: anything else does not end a wait, and what comes after it counts."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as house:
        await create(house)
        house.channel.reads.extend([unread(status)] * 2)
        house.channel.tell("pay-1", Status.SUCCESS, at=9)
        snapshot = await wait(house, 45)
        assert_snapshot(snapshot, status=Status.SUCCESS, code="", fresh=True)
        assert len(house.channel.read_at) >= 3


@pytest.mark.parametrize("status", PASSES)
@pytest.mark.parametrize("known", OPEN)
async def test_a_wait_that_only_ever_failed_to_read_keeps_what_was_known(
    tmp_path: Path, status: int | None, known: Status
) -> None:
    """A read that fails keeps the last known outcome, adds the error code, and never says paid, failed or refused."""
    async with paying(tmp_path, answer(known, LINK)) as house:
        house.channel.every_read = unread(status)
        started = await create(house)
        snapshot = await wait(house, 25)
        assert_snapshot(snapshot, status=known, code="blikk_unavailable", fresh=False)
        assert snapshot.payment.state is ClaimState.CREATED
        assert anyio.current_time() - started == pytest.approx(25, abs=0.5)


@pytest.mark.parametrize(
    ("status", "expected"), [*ENDS_AT_ONCE, (503, "blikk_unavailable"), (None, "blikk_unavailable")]
)
async def test_where_nothing_was_known_a_failed_read_is_unknown(
    tmp_path: Path, status: int | None, expected: str
) -> None:
    """`unknown` if there is none: also for a payment that the ledger does not have."""
    async with paying(tmp_path) as house:
        house.channel.every_read = unread(status)
        snapshot = await wait(house, 20, "pay-77")
        assert_snapshot(snapshot, state=ClaimState.UNKNOWN, status=None, code=expected)
        assert snapshot.payment.payment_id == "pay-77"


async def test_what_was_read_before_the_reads_began_to_fail_is_kept(tmp_path: Path) -> None:
    """The last known outcome is the last one that was read, not the one at the start."""
    async with paying(tmp_path) as house:
        house.channel.reads.append(answer(Status.SCA_COMPLETE, payment_id="pay-77"))
        house.channel.every_read = unread(503)
        snapshot = await wait(house, 20, "pay-77")
        assert (snapshot.payment.status, code(snapshot)) == (Status.SCA_COMPLETE, "blikk_unavailable")


@pytest.mark.parametrize("asked_for", [4.0, 9.0, 40.0])
async def test_blikks_retry_after_is_obeyed(tmp_path: Path, asked_for: float) -> None:
    """Retry-After is documented nowhere and must be handled all the same: no read before it is over."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as house:
        await create(house)
        house.channel.reads.append(unread(429, retry_after_seconds=asked_for))
        house.channel.tell("pay-1", Status.SUCCESS)
        assert (await wait(house, 60)).payment.status is Status.SUCCESS
        first, second = house.channel.read_at
        assert asked_for <= second - first <= asked_for + 2


async def test_a_wish_to_wait_for_hours_is_bounded(tmp_path: Path) -> None:
    """`Retry-After` is honoured up to a bound."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as house:
        await create(house)
        house.channel.reads.append(unread(429, retry_after_seconds=86_400))
        house.channel.tell("pay-1", Status.SUCCESS)
        assert (await wait(house, MAX_RETRY_AFTER_SECONDS + 1)).payment.status is Status.SUCCESS


async def test_retry_after_holds_for_every_payment_of_the_process(tmp_path: Path) -> None:
    """A limit is the channel's, not one payment's: all pollers back off together."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED), answer(Status.SCA_REQUIRED)) as house:
        await house.service.create(numbered(1))
        await house.service.create(numbered(2))
        house.channel.reads.append(unread(429, retry_after_seconds=8))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait, house, 20, "pay-1")
            await anyio.sleep(0.5)
            tasks.start_soon(wait, house, 20, "pay-2")
        assert house.channel.read_ids[0] == "pay-1"
        assert [at for at in house.channel.read_at[1:] if at < 8] == []
        assert "pay-2" in house.channel.read_ids


def failed(retry_after_seconds: float = 0.0, code: str = "blikk_unavailable") -> StatusUnavailable:
    """A read that the poller hears of as failed."""
    return StatusUnavailable("not now", code=code, retry_after_seconds=retry_after_seconds)


async def schedule(*outcomes: StatusUnavailable | None, seconds: float = 200.0) -> list[float]:
    """When one payment is read, to the second, if its reads end like this (then well) and jitter is in the middle."""
    at: list[float] = []
    left = list(outcomes)

    async def read(payment_id: str, before: Payment | None) -> Payment:
        at.append(anyio.current_time())
        if left and (error := left.pop(0)):
            raise error
        return a_record(Status.SCA_REQUIRED)

    async with anyio.create_task_group() as tasks:
        poller = Poller(read, tasks, schedule=cast("PollSchedule", EvenSchedule(1.0)), jitter=lambda: 0.5)
        async with poller.watch("pay-1"):
            await anyio.sleep(seconds)
        tasks.cancel_scope.cancel()
    return [round(later - earlier, 2) for earlier, later in pairwise(at)]


async def test_failed_reads_come_slower_and_slower_by_an_exact_schedule() -> None:
    """2, 4, 8, 16 and then every 30 seconds: a Blikk in trouble is left alone, and not for ever."""
    assert await schedule(*[failed()] * 50) == [2, 4, 8, 16, 30, 30, 30, 30, 30]


async def test_one_good_read_ends_the_slowness() -> None:
    """The next trouble is a new one."""
    expected = [2, 4, 1, 2, 4, 1]
    assert (await schedule(failed(), failed(), None, failed(), failed(), None))[: len(expected)] == expected


async def test_a_wish_for_later_counts_where_it_is_longer_than_our_own_pause_and_up_to_a_bound() -> None:
    """Retry-After of 9 s, of 1 s (ours is 4 s) and of a day."""
    assert (await schedule(failed(9), failed(1), failed(86_400)))[:3] == [9, 4, MAX_RETRY_AFTER_SECONDS]


@pytest.mark.parametrize("code", sorted(ENDS_A_WAIT))
async def test_a_refused_read_slows_nobody_down(code: str) -> None:
    """401, 403 and 404 are about this payment or key; Blikk is well."""
    assert (await schedule(*[failed(code=code)] * 5, seconds=5.5)) == [1, 1, 1, 1, 1]


async def test_a_short_pause_does_not_shorten_a_longer_one() -> None:
    """Another payment's failure must not let all of them come back before Blikk's Retry-After is over."""
    at: list[tuple[str, float]] = []

    async def read(payment_id: str, before: Payment | None) -> Payment:
        at.append((payment_id, anyio.current_time()))
        if payment_id == "pay-1":
            raise failed(60)
        await anyio.sleep(1)
        raise failed()

    async with anyio.create_task_group() as tasks:
        poller = Poller(read, tasks, schedule=cast("PollSchedule", EvenSchedule(1.0)), jitter=lambda: 0.5)
        async with poller.watch("pay-2"), poller.watch("pay-1"):
            await anyio.sleep(61)
        tasks.cancel_scope.cancel()
    assert {payment_id for payment_id, _ in at} == {"pay-1", "pay-2"}
    assert [moment for _, moment in at if 0.5 < moment < 60] == []
    assert [moment for _, moment in at if moment >= 60]


async def test_no_more_than_so_many_reads_are_under_way_at_once() -> None:
    """A Blikk that hangs costs a bounded number of connections, however many wait."""
    under_way: list[str] = []

    async def read(payment_id: str, before: Payment | None) -> Payment:
        under_way.append(payment_id)
        await anyio.sleep_forever()
        raise AssertionError

    async with anyio.create_task_group() as tasks, AsyncExitStack() as stack:
        poller = Poller(read, tasks, schedule=PollSchedule(), jitter=lambda: 0.5)
        for number in range(3 * MAX_READS_AT_ONCE):
            await stack.enter_async_context(poller.watch(f"pay-{number}"))
        await anyio.sleep(60)
        assert len(under_way) == MAX_READS_AT_ONCE == 16
        tasks.cancel_scope.cancel()


async def test_what_was_read_for_somebody_else_begins_a_new_pace() -> None:
    """After a change Blikk is asked at the pace of the new status, as if the poller had seen it itself."""
    status = Status.SCA_REQUIRED
    at: list[float] = []

    async def read(payment_id: str, before: Payment | None) -> Payment:
        at.append(anyio.current_time())
        return a_record(status)

    async with anyio.create_task_group() as tasks:
        poller = Poller(read, tasks, schedule=PollSchedule(most_seconds=15.0), jitter=lambda: 0.5)
        async with poller.watch("pay-1") as watch:
            await anyio.sleep(900)
            assert round(at[-1] - at[-2]) == 15
            status = Status.PENDING
            poller.heard(a_record(status))
            assert watch.reading is not None
            assert watch.reading.payment == a_record(status)
            changed = len(at)
            await anyio.sleep(60)
            # The pause that was running, then the pace of a status that is some seconds old.
            assert [later - earlier < 5 for earlier, later in pairwise(at[changed:])][:5] == [True] * 5
        tasks.cancel_scope.cancel()


async def test_a_ledger_that_fails_in_the_middle_keeps_what_was_known(tmp_path: Path) -> None:
    """A status that cannot be written down was not read: the last known outcome, and ledger_unavailable."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as house:
        await create(house)
        house.channel.tell("pay-1", Status.SUCCESS)
        house.ledger.broken = {"seen"}
        snapshot = await wait(house, 10)
        assert (snapshot.payment.status, code(snapshot)) == (Status.SCA_REQUIRED, "ledger_unavailable")
        house.ledger.broken = set()
        assert (await wait(house, 45)).payment.status is Status.SUCCESS


async def test_a_payment_that_comes_in_doubt_meanwhile_ends_the_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blikk made a second one for the key: a person has to look, and nothing that is read of either tells more."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as house:
        await create(house)

        def seen(said: ChannelPayment, *, now: datetime) -> Payment | None:
            # Another process was quicker.
            with pytest.raises(OutcomeUnknown):
                house.ledger.created(KEY, 1, answer(payment_id="pay-2"), now=now)
            return house.record()

        monkeypatch.setattr(house.ledger, "seen", seen)
        house.channel.tell("pay-1", Status.SCA_COMPLETE, at=anyio.current_time() + 5)
        started = anyio.current_time()
        snapshot = await wait(house, 45)
        assert_snapshot(snapshot, state=ClaimState.UNKNOWN, code="outcome_unknown", approval_url="")
        assert anyio.current_time() - started < 10


async def test_a_ledger_that_cannot_be_read_is_said_to_be_so_at_once(tmp_path: Path) -> None:
    """ledger_unavailable."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as house:
        await create(house)
        house.ledger.broken = {"by_payment_id"}
        with pytest.raises(LedgerUnavailable):
            await wait(house)


async def test_a_defect_while_reading_costs_a_reading_and_not_the_process(tmp_path: Path) -> None:
    """One payment's trouble must not end every wait of the process."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED)) as house:
        await create(house)
        house.channel.reads.append(RuntimeError("a defect"))
        house.channel.tell("pay-1", Status.SUCCESS, at=3)
        assert (await wait(house, 45)).payment.status is Status.SUCCESS


@pytest.mark.parametrize("status", [401, 403, 404, 429, 503, None])
@pytest.mark.parametrize("known", [Status.PENDING, Status.SCA_REQUIRED])
async def test_no_failed_read_ever_makes_a_payment_paid_failed_or_refused(
    tmp_path: Path, status: int | None, known: Status
) -> None:
    """Only Blikk's word makes a payment paid or failed; the ledger is left as it was."""
    async with paying(tmp_path, answer(known)) as house:
        house.channel.every_read = unread(status)
        await create(house)
        before = house.record()
        for snapshot in (await wait(house, 10), await house.service.status(payment_id="pay-1")):
            assert snapshot.payment.state is ClaimState.CREATED
            assert snapshot.payment.status not in FAILED | {Status.SUCCESS}
            assert code(snapshot) != ""
        assert house.record() == before


# Links


async def test_a_link_that_changes_while_a_person_is_waited_for_is_noticed(tmp_path: Path) -> None:
    """Approval links live only briefly; the state so far has the one that works."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as house:
        house.channel.tell("pay-1", Status.SCA_REQUIRED, NEWER_LINK, at=10)
        await create(house)
        assert (await wait(house, 20)).payment.approval_url == NEWER_LINK


# Progress


@pytest.mark.parametrize("takes", [0.05, 1.7])
async def test_ticks_rise_strictly_and_come_every_few_seconds(tmp_path: Path, takes: float) -> None:
    """Progress with strictly rising values while it waits."""
    ticks: list[float] = []

    async def tick(gone: float, record: Payment | None) -> None:
        ticks.append(gone)

    async with paying(tmp_path, answer(Status.PENDING)) as house:
        house.channel.every_read = after(takes, answer(Status.PENDING, payment_id="pay-1"))
        await create(house)
        await anyio.sleep(5)
        await wait(house, 40, tick=tick)
    assert ticks == sorted(set(ticks))
    assert max(later - earlier for earlier, later in pairwise([0, *ticks, 40])) <= 5
    assert ticks[-1] <= 40


async def test_ticks_tell_how_the_payment_stands(tmp_path: Path) -> None:
    """A progress report says whether a person or the bank is waited for."""
    seen: list[Status | None] = []

    async def tick(gone: float, record: Payment | None) -> None:
        seen.append(record.status if record else None)

    async with paying(tmp_path, answer(Status.PENDING)) as house:
        house.channel.tell("pay-1", Status.SCA_REQUIRED, LINK, at=5)
        await create(house)
        await wait(house, 20, tick=tick)
    assert set(seen) == {Status.PENDING, Status.SCA_REQUIRED}


async def test_a_caller_that_is_slow_to_take_its_ticks_misses_no_ending(tmp_path: Path) -> None:
    """A client that reads slowly must not turn paid into pending."""

    async def tick(gone: float, record: Payment | None) -> None:
        await anyio.sleep(2)

    async with paying(tmp_path, answer(Status.SCA_REQUIRED)) as house:
        await create(house)
        house.channel.tell("pay-1", Status.SUCCESS, at=1)
        assert (await wait(house, 25, tick=tick)).payment.status is Status.SUCCESS
        assert anyio.current_time() <= 10


# What it costs


@pytest.mark.slow
async def test_ten_thousand_waiters_cost_the_requests_of_one(tmp_path: Path) -> None:
    """One poller a payment and process, however many wait for it."""
    waiters = 10_000
    endings: list[Status | None] = []

    async with paying(tmp_path, answer(Status.SCA_REQUIRED)) as house:
        await create(house)
        house.channel.tell("pay-1", Status.SUCCESS, at=2)

        async def one() -> None:
            endings.append((await wait(house, 25)).payment.status)

        async with anyio.create_task_group() as tasks:
            for _ in range(waiters):
                tasks.start_soon(one)
        assert endings == [Status.SUCCESS] * waiters
        assert len(house.channel.read_at) <= 4


async def test_a_newcomer_is_not_told_old_news(tmp_path: Path) -> None:
    """Ask again before showing a link that is old: a wait that joins another gets a reading of its own."""
    channel = ScriptedChannel(answer(Status.SCA_REQUIRED, LINK))
    with BreakableLedger(tmp_path / LEDGER) as ledger:
        async with (
            service_over(channel, ledger, schedule=EvenSchedule(60)) as service,
            anyio.create_task_group() as tasks,
        ):
            await service.create(an_intent())

            async def earlier() -> None:
                await service.wait("pay-1", seconds=40, until=to_the_end)

            tasks.start_soon(earlier)
            await anyio.sleep(10)
            channel.tell("pay-1", Status.SCA_REQUIRED, NEWER_LINK)
            snapshot = await service.wait("pay-1", seconds=2, until=for_a_person)
            assert (snapshot.payment.approval_url, snapshot.fresh) == (NEWER_LINK, True)
            assert anyio.current_time() == pytest.approx(10, abs=0.1)
            tasks.cancel_scope.cancel()


async def test_what_is_read_for_one_caller_is_told_to_all_who_wait(tmp_path: Path) -> None:
    """One process has one truth: a status that somebody just asked for is no news to be waited for any longer."""
    ended_at: list[float] = []
    async with paying(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as house:
        service = service_over(house.channel, house.ledger, schedule=EvenSchedule(10.0))
        async with service, anyio.create_task_group() as tasks:
            await service.create(an_intent())
            started = anyio.current_time()

            async def wait() -> None:
                snapshot = await service.wait("pay-1", seconds=45, until=to_the_end)
                assert (snapshot.payment.status, snapshot.fresh) == (Status.SUCCESS, True)
                ended_at.append(anyio.current_time() - started)

            for _ in range(3):
                tasks.start_soon(wait)
            await anyio.sleep(2)
            house.channel.tell("pay-1", Status.SUCCESS, at=anyio.current_time())
            await service.status(payment_id="pay-1")
    assert ended_at == pytest.approx([2, 2, 2], abs=0.1)


async def test_when_the_last_waiter_is_gone_nothing_is_asked_any_more(tmp_path: Path) -> None:
    """A cancelled wait stops polling."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED)) as house:
        await create(house)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait, house, 1_000)
            await anyio.sleep(0.5)
            with anyio.move_on_after(5):
                await wait(house, 1_000)
            asked = len(house.channel.read_at)
            await anyio.sleep(5)
            assert len(house.channel.read_at) > asked
            tasks.cancel_scope.cancel()
        asked = len(house.channel.read_at)
        await anyio.sleep(1_000)
        assert len(house.channel.read_at) == asked


async def test_a_cancelled_wait_abandons_the_read_under_way(tmp_path: Path) -> None:
    """Nobody waits for its answer."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED)) as house:
        await create(house)
        house.channel.every_read = never
        with anyio.move_on_after(2) as scope:
            await wait(house, 1_000)
        assert (scope.cancelled_caught, anyio.current_time()) == (True, pytest.approx(2, abs=0.1))


async def test_after_the_last_waiter_a_new_one_starts_again(tmp_path: Path) -> None:
    """Call it again: the next wait polls as the first one did."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED)) as house:
        await create(house)
        await wait(house, 5)
        await anyio.sleep(100)
        house.channel.tell("pay-1", Status.SUCCESS)
        assert (await wait(house, 5)).payment.status is Status.SUCCESS


async def test_a_finished_payment_is_polled_no_further(tmp_path: Path) -> None:
    """A terminal status that is polled until the time-out is a defect others had."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED)) as house:
        await create(house)
        house.channel.tell("pay-1", Status.SUCCESS, at=5)
        await wait(house, 45)
        asked = len(house.channel.read_at)
        await anyio.sleep(100)
        assert (len(house.channel.read_at), anyio.current_time() < 120) == (asked, True)


@pytest.mark.parametrize("busy_seconds", [0.0, 5.0])
async def test_routine_reads_start_apart_even_after_the_process_was_busy(tmp_path: Path, busy_seconds: float) -> None:
    """Other calls find the process free; reads that came due meanwhile must not all start in the same moment."""
    async with paying(tmp_path) as house, anyio.create_task_group() as tasks:
        for number in range(50):
            payment_id = f"pay-{number:04}"
            house.channel.tell(payment_id, Status.PENDING)
            tasks.start_soon(wait, house, 60, payment_id)
        # The first readings are over, and the next ones have begun.
        await anyio.sleep(1.05)
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, trio.testing.MockClock)
        clock.jump(busy_seconds)
        house.channel.read_at.clear()
        await anyio.sleep(0.5)
        tasks.cancel_scope.cancel()
    starts = house.channel.read_at
    assert len(starts) > 40
    assert min(later - earlier for earlier, later in pairwise(starts)) > ROUTINE_GAP_SECONDS * 0.99


async def test_a_newcomer_does_not_wait_behind_the_routine_of_others(tmp_path: Path) -> None:
    """Somebody asks now; the hundreds of reads that are due next can be a moment later."""
    payment_ids = [f"pay-{number:04}" for number in range(300)]
    async with paying(tmp_path) as house, anyio.create_task_group() as tasks:
        for payment_id in payment_ids:
            house.channel.tell(payment_id, Status.PENDING)
            tasks.start_soon(wait, house, 60, payment_id)
        # By now each routine read waits for more than two seconds behind others.
        await anyio.sleep(10)
        for payment_id in payment_ids[::30]:
            asked_at = anyio.current_time()
            snapshot = await wait(house, 0, payment_id)
            assert (snapshot.payment.status, snapshot.fresh) == (Status.PENDING, True)
            assert anyio.current_time() - asked_at < 0.1
        # Nor does it cost the others their turn.
        house.channel.read_ids.clear()
        await anyio.sleep(len(payment_ids) * ROUTINE_GAP_SECONDS * 1.5)
        assert set(house.channel.read_ids) == set(payment_ids)
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(("status", "first"), [(Status.PENDING, 2), (Status.SCA_REQUIRED, 6), (Status.OTHER, 2)])
async def test_at_its_own_pace_a_wait_asks_as_sparingly_as_others_do(
    tmp_path: Path, status: Status, first: float
) -> None:
    """Others' schedules begin at 0.5 to 5 s and end at 10 to 15 s: at most some 200 requests in a quarter of an hour."""
    channel = ScriptedChannel(answer(status))
    with BreakableLedger(tmp_path / LEDGER) as ledger:
        async with service_over(channel, ledger, schedule=None) as service:
            await service.create(an_intent())
            channel.read_at.clear()
            await service.wait("pay-1", seconds=900, until=to_the_end)
    pauses = [later - earlier for earlier, later in pairwise(channel.read_at)]
    assert 60 <= len(channel.read_at) <= 200
    assert pauses[0] <= first
    assert max(pauses) <= 16.5


async def test_waiting_never_sends_a_payment(tmp_path: Path) -> None:
    """await_payment is read-only."""
    steps: list[Step] = [unread(503), answer(Status.PENDING, payment_id="pay-1"), unread(429), RuntimeError("a defect")]
    async with paying(tmp_path, answer(Status.DRAFT)) as house:
        await house.service.create(an_intent())
        house.channel.reads.extend(steps)
        await wait(house, 60)
        await wait(house, 5, "pay-77")
        assert (house.posts, house.channel.orders[0].amount_isk) == (1, 1_000)
        assert house.record(KEY) is not None
