"""The same key again: the earlier answer, a conflict, or after a definite refusal another attempt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from blikk_payments.channel.wire import Status
from blikk_payments.errors import IdempotencyConflict
from blikk_payments.models import ClaimState
from blikk_payments.policy import AllowedCreditor
from tests.expecting import assert_snapshot
from tests.payments.doubles import Person, Step, paying, unread, virtual_now
from tests.payments.factories import (
    BBAN,
    KEY,
    LINK,
    NEWER_LINK,
    OTHER_BBAN,
    OTHER_KENNITALA,
    an_intent,
    answer,
    iban_of,
    record_of,
)
from tests.payments.service.endings import DEFINITE, LOST, MAYBE, NO_PAYMENT, PAID, code_of, told

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"name": "Another name"},
        {"purpose": "another purpose"},
        {"bban": BBAN},
        {"iban": iban_of(BBAN, OTHER_KENNITALA)},
        {"confirmed_duplicate_of": "pay-77"},
    ],
    ids=["same", "name", "purpose", "bban", "iban of another holder", "confirmed_duplicate_of"],
)
async def test_the_same_payment_under_the_same_key_is_answered_again_and_not_sent_again(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    """Amount, account and creditor_ssn decide whether it is the same payment; name and purpose do not."""
    async with paying(tmp_path, PAID) as house:
        first = await house.service.create(an_intent())
        again = await house.service.create(an_intent(**change))
        assert not first.replayed
        assert again.replayed
        assert house.posts == 1
        assert again.payment == first.payment


@pytest.mark.parametrize(
    "change",
    [{"amount_isk": 1_001}, {"iban": iban_of(OTHER_BBAN)}, {"bban": OTHER_BBAN}, {"ssn": OTHER_KENNITALA}],
    ids=["amount", "account", "bban", "kennitala"],
)
@pytest.mark.parametrize("first", [PAID, answer(Status.ERROR), LOST], ids=["paid", "failed", "unknown"])
async def test_another_payment_under_the_same_key_is_a_conflict(
    tmp_path: Path, change: dict[str, Any], first: Step
) -> None:
    """Same key, other payment: idempotency_conflict, and nothing is sent."""
    async with paying(tmp_path, first) as house:
        before = (await house.service.create(an_intent())).payment
        with pytest.raises(IdempotencyConflict):
            await house.service.create(an_intent(**change))
        with pytest.raises(IdempotencyConflict):
            await house.service.create(an_intent(**change), asker=Person())
        assert house.posts == 1
        assert house.record() == replace(before, bank_text="")


async def test_a_conflict_leaves_the_first_payment_to_be_answered_again(tmp_path: Path) -> None:
    """A replay after a conflict is still the first payment."""
    async with paying(tmp_path, PAID) as house:
        await house.service.create(an_intent())
        assert await code_of(house.service.create(an_intent(amount_isk=2))) == "idempotency_conflict"
        again = await house.service.create(an_intent())
        assert_snapshot(again, replayed=True, amount_isk=1_000)
        assert house.posts == 1


async def test_the_earlier_answer_is_brought_up_to_date(tmp_path: Path) -> None:
    """Same key: the earlier answer brought up to date; at SCA_REQUIRED with the newest link."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as house:
        await house.service.create(an_intent())
        house.channel.tell("pay-1", Status.SCA_REQUIRED, NEWER_LINK)
        again = await house.service.create(an_intent())
        assert_snapshot(again, replayed=True, fresh=True, approval_url=NEWER_LINK)
        house.channel.tell("pay-1", Status.SUCCESS)
        paid = await house.service.create(an_intent())
        assert_snapshot(paid, replayed=True, status=Status.SUCCESS)
        assert house.posts == 1


async def test_a_replay_that_cannot_be_brought_up_to_date_says_what_was_known(tmp_path: Path) -> None:
    """A read that fails keeps the last known outcome and adds the error code."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as house:
        await house.service.create(an_intent())
        house.channel.every_read = unread(404)
        again = await house.service.create(an_intent())
        assert_snapshot(again, replayed=True, fresh=False, state=ClaimState.CREATED, code="not_found")
        assert again.payment.status is Status.SCA_REQUIRED


async def test_a_replay_passes_whatever_limits_and_lists_say_now(tmp_path: Path) -> None:
    """Same key: the earlier answer, `replayed` true, whatever limits and lists say now."""
    async with paying(tmp_path, PAID) as house:
        await house.service.create(an_intent())
    strict: dict[str, Any] = {
        "max_amount_isk": 1,
        "daily_limit_isk": 1,
        "creates_per_minute": 0,
        "ask_above_isk": 0,
        "allowed_creditors": (AllowedCreditor(kennitala=OTHER_KENNITALA),),
    }
    async with paying(tmp_path, channel=house.channel, **strict) as restarted:
        person = Person(yes=False)
        again = await restarted.service.create(an_intent(), asker=person)
        assert_snapshot(again, replayed=True, status=Status.SUCCESS)
        assert person.questions == []
        assert (await restarted.service.create(an_intent())).replayed
        assert restarted.posts == 1


async def test_a_restart_changes_nothing_about_a_key(tmp_path: Path) -> None:
    """One key: the same on every retry, also after an error or a restart."""
    async with paying(tmp_path, LOST) as house:
        await house.service.create(an_intent())
    async with paying(tmp_path, channel=house.channel) as restarted:
        again = await restarted.service.create(an_intent())
        assert (told(again), again.replayed) == ((MAYBE, "outcome_unknown"), True)
        assert restarted.posts == 1


@pytest.mark.parametrize(("error", "code"), DEFINITE, ids=lambda value: str(getattr(value, "status", value)))
async def test_after_a_definite_refusal_the_key_may_be_sent_again(tmp_path: Path, error: Exception, code: str) -> None:
    """After a definite refusal the key may be sent again, with the same or corrected arguments."""
    async with paying(tmp_path, error, error, PAID) as house:
        await house.service.create(an_intent())
        same = await house.service.create(an_intent())
        assert_snapshot(same, state=NO_PAYMENT, code=code, replayed=False)
        assert house.posts == 2
        corrected = await house.service.create(an_intent(amount_isk=2_000, iban=iban_of(OTHER_BBAN)))
        assert_snapshot(corrected, state=ClaimState.CREATED, code="", replayed=False)
        assert house.posts == 3
        assert house.channel.orders[-1].amount_isk == 2_000
        assert (record_of(corrected).amount_isk, record_of(corrected).attempt) == (2_000, 3)


async def test_a_payment_that_blikk_ended_is_not_made_again_under_its_key(tmp_path: Path) -> None:
    """It was created, so its key is used up: REJECTED, CANCELLED and ERROR are true answers."""
    async with paying(tmp_path, answer(Status.REJECTED)) as house:
        await house.service.create(an_intent())
        again = await house.service.create(an_intent())
        assert_snapshot(again, status=Status.REJECTED, replayed=True)
        assert house.posts == 1


async def test_what_an_operator_found_not_to_exist_may_be_sent_again(tmp_path: Path) -> None:
    """Unknown stays so until `ledger resolve`; --not-created is then a definite refusal."""
    async with paying(tmp_path, LOST, PAID) as house:
        await house.service.create(an_intent())
        await anyio.sleep(600)
        house.ledger.resolve_not_created(KEY, note="looked in the portal", now=virtual_now())
        assert told(await house.service.status(idempotency_key=KEY)) == (NO_PAYMENT, "")
        again = await house.service.create(an_intent())
        assert_snapshot(again, state=ClaimState.CREATED, code="", replayed=False)
        assert house.posts == 2
