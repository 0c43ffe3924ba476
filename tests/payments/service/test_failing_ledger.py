"""A ledger that fails before, during and after a request."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from blikk_payments.channel.wire import Status
from blikk_payments.errors import LedgerUnavailable
from blikk_payments.models import ClaimState, PaymentRecord
from blikk_payments.snapshot import Snapshot
from tests.expecting import assert_snapshot
from tests.payments.doubles import (
    LEDGER,
    BreakableLedger,
    Person,
    ScriptedChannel,
    Step,
    paying,
    service_over,
    virtual_now,
)
from tests.payments.factories import KEY, LINK, an_intent, answer, numbered, record_of
from tests.payments.service.endings import LOST, MAYBE, NO_PAYMENT, PAID, code_of, in_ledger, refused, told

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("method", ["claim", "find_key", "facts"])
async def test_a_ledger_that_fails_before_keeps_everything_unsent(tmp_path: Path, method: str) -> None:
    """ledger_unavailable: what cannot be written down first is not sent."""
    async with paying(tmp_path, ask_above_isk=0) as house:
        house.ledger.broken = {method}
        with pytest.raises(LedgerUnavailable):
            await house.service.create(an_intent(), asker=Person())
        assert (house.posts, in_ledger(house)) == (0, None)


async def test_a_damaged_ledger_keeps_everything_unsent(tmp_path: Path) -> None:
    """ledger_unavailable: the same with a file that is no ledger, and the file is left as it is."""
    (tmp_path / LEDGER).write_bytes(b"not a ledger" * 100)
    async with paying(tmp_path) as house:
        with pytest.raises(LedgerUnavailable):
            await house.service.create(an_intent())
        assert house.posts == 0
    assert (tmp_path / LEDGER).read_bytes() == b"not a ledger" * 100


@pytest.mark.parametrize(
    ("method", "said", "expected"),
    [
        ("created", PAID, (ClaimState.CREATED, "")),
        ("created", answer(Status.SCA_REQUIRED, LINK), (ClaimState.CREATED, "")),
        ("refused", refused(400), (NO_PAYMENT, "rejected_by_blikk")),
        ("unknown", LOST, (MAYBE, "outcome_unknown")),
    ],
    ids=["paid", "link", "refused", "unknown"],
)
async def test_a_ledger_that_fails_after_blikk_answered_cannot_unmake_the_outcome(
    tmp_path: Path, method: str, said: Step, expected: tuple[ClaimState, str]
) -> None:
    """The outcome is told all the same, with the word that it was not kept; and the key is not sent again."""
    async with paying(tmp_path, said) as house:
        house.ledger.broken = {method}
        snapshot = await house.service.create(an_intent())
        assert (told(snapshot), snapshot.recorded) == (expected, False)
        if said is not LOST and not isinstance(said, Exception):
            assert snapshot.payment.payment_id == "pay-1"
        if expected[0] is not NO_PAYMENT:
            # The same truth for everybody, however long the ledger takes nothing.
            await anyio.sleep(31)
            again = await house.service.create(an_intent())
            assert told(again) == expected
            assert again.replayed
            assert house.posts == 1
            by_key = await house.service.status(idempotency_key=KEY)
            assert (told(by_key), record_of(by_key).amount_isk) == (expected, 1_000)
        if snapshot.payment.payment_id:
            by_id = await house.service.status(payment_id="pay-1")
            assert (told(by_id), record_of(by_id).amount_isk) == (expected, 1_000)
        house.ledger.broken = set()
        await anyio.sleep(6)
        assert in_ledger(house) is expected[0]


async def test_an_outcome_that_was_not_written_is_written_at_the_end(tmp_path: Path) -> None:
    """What this process alone knows is lost with it."""
    async with paying(tmp_path, PAID) as house:
        house.ledger.broken = {"created"}
        assert not (await house.service.create(an_intent())).recorded
        house.ledger.broken = set()
    async with paying(tmp_path, channel=house.channel) as restarted:
        assert in_ledger(restarted) is ClaimState.CREATED


async def test_a_key_that_is_known_is_answered_by_a_ledger_that_cannot_be_written(tmp_path: Path) -> None:
    """Only a new payment needs the ledger's lock."""
    async with paying(tmp_path, PAID) as house:
        await house.service.create(an_intent())
    async with paying(tmp_path, channel=house.channel) as restarted:
        restarted.ledger.broken = {"claim", "seen", "created"}
        again = await restarted.service.create(an_intent())
        assert_snapshot(again, replayed=True, status=Status.SUCCESS)
        assert restarted.posts == 1


async def test_an_outcome_is_written_again_at_growing_pauses_up_to_a_bound(tmp_path: Path) -> None:
    """Soon, since most locks are short; and at least every five seconds, since others ask meanwhile."""
    tried_at: list[float] = []
    async with paying(tmp_path, PAID) as house:

        def refuse(*arguments: object, **named: object) -> PaymentRecord:
            tried_at.append(anyio.current_time())
            raise LedgerUnavailable("The ledger cannot be used.")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(house.ledger, "created", refuse)
            await house.service.create(an_intent())
            await anyio.sleep(19)
        pauses = [round(later - earlier, 2) for earlier, later in pairwise(tried_at)]
        assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
        await anyio.sleep(5)
        assert in_ledger(house) is ClaimState.CREATED


async def test_a_refusal_that_was_not_written_frees_its_key_once_the_ledger_can_be_written(tmp_path: Path) -> None:
    """A definite refusal frees the key: whoever asks again first writes down what this process still holds."""
    async with paying(tmp_path, refused(400), PAID) as house:
        house.ledger.broken = {"refused"}
        assert told(await house.service.create(an_intent())) == (NO_PAYMENT, "rejected_by_blikk")
        house.ledger.broken = set()
        again = await house.service.create(an_intent())
        assert_snapshot(again, state=ClaimState.CREATED, code="", replayed=False)
        assert house.posts == 2


async def test_a_ledger_that_fails_again_gets_what_it_missed_again(tmp_path: Path) -> None:
    """The second trouble of a process's life is no less one than the first."""
    async with paying(tmp_path, PAID, PAID) as house:
        for number in (1, 2):
            house.ledger.broken = {"created"}
            assert not (await house.service.create(numbered(number))).recorded
            house.ledger.broken = set()
            await anyio.sleep(10)
            assert in_ledger(house, f"order-{number:04}") is ClaimState.CREATED


async def test_what_was_not_written_is_written_at_the_end_of_a_process_that_is_cancelled(tmp_path: Path) -> None:
    """A client that goes away cancels everything; the last words are written all the same."""

    async def with_threads(call: Callable[[], Any], /) -> Any:
        await anyio.lowlevel.checkpoint()
        return call()

    with BreakableLedger(tmp_path / LEDGER) as ledger:
        with anyio.CancelScope() as scope:
            async with service_over(ScriptedChannel(PAID), ledger, run_blocking=with_threads) as service:
                ledger.broken = {"created"}
                assert not (await service.create(an_intent())).recorded
                ledger.broken = set()
                scope.cancel()
        record = ledger.by_key(KEY, now=virtual_now())
        assert record is not None
        assert record.state is ClaimState.CREATED


async def test_a_ledger_that_fails_while_a_replay_waits_is_told_with_what_was_known(tmp_path: Path) -> None:
    """Another process sends the key: "nothing was sent" it is not."""
    snapshots: list[Snapshot] = []
    async with paying(tmp_path) as house, anyio.create_task_group() as tasks:
        house.ledger.claim(an_intent(), lambda facts: None, window_minutes=0, now=virtual_now())

        async def replay() -> None:
            snapshots.append(await house.service.create(an_intent()))

        tasks.start_soon(replay)
        await anyio.sleep(1)
        house.ledger.broken = {"by_key"}
    (snapshot,) = snapshots
    assert_snapshot(snapshot, state=ClaimState.SENDING, code="ledger_unavailable", replayed=True)


async def test_of_outcomes_that_the_ledger_never_takes_the_newest_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it fails, the memory for them is bounded; the older ones are unknown there before long."""
    monkeypatch.setattr("blikk_payments.sending.MAX_UNWRITTEN", 2)
    async with paying(tmp_path, PAID, PAID, PAID) as house:
        house.ledger.broken = {"created"}
        for number in (1, 2, 3):
            await house.service.create(numbered(number))
        told = [await house.service.status(idempotency_key=f"order-{number:04}") for number in (1, 2, 3)]
        assert [snapshot.payment.state for snapshot in told] == [ClaimState.SENDING, *[ClaimState.CREATED] * 2]
        house.ledger.broken = set()


async def test_another_payment_under_a_key_is_a_conflict_also_where_only_this_process_knows_of_it(
    tmp_path: Path,
) -> None:
    """The ledger takes nothing and tells nothing: the earlier payment is no answer to a request for another one."""
    async with paying(tmp_path, PAID) as house:
        house.ledger.broken = {"created"}
        await house.service.create(an_intent())
        house.ledger.broken = {"created", "find_key"}
        assert await code_of(house.service.create(an_intent(amount_isk=2_000))) == "idempotency_conflict"
        again = await house.service.create(an_intent())
        assert_snapshot(again, payment_id="pay-1", replayed=True)
        assert house.posts == 1


async def test_a_ledger_that_fails_during_the_look_at_the_new_payment_takes_nothing_back(tmp_path: Path) -> None:
    """It was created and written down; the look is a courtesy."""
    async with paying(tmp_path, answer(Status.DRAFT)) as house:
        house.ledger.broken = {"by_payment_id", "seen"}
        snapshot = await house.service.create(an_intent())
        assert_snapshot(snapshot, state=ClaimState.CREATED, code="", payment_id="pay-1", recorded=True)
