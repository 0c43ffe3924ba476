"""Equal payments under other keys are held up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from blikk_payments.channel.errors import NotSent
from blikk_payments.channel.wire import Status
from blikk_payments.errors import PossibleDuplicate
from tests.payments.doubles import Person, Step, after, paying, virtual_now
from tests.payments.factories import (
    BBAN,
    FOREIGN_IBAN,
    KEY,
    OTHER_BBAN,
    OTHER_KENNITALA,
    OTHER_KEY,
    an_intent,
    answer,
    iban_of,
)
from tests.payments.service.endings import LOST, PAID, code_of, in_ledger, refused

pytestmark = pytest.mark.anyio


async def test_after_an_unknown_outcome_another_amount_to_the_account_needs_a_persons_word(tmp_path: Path) -> None:
    """A model that is refused changes the amount by one króna."""
    async with paying(tmp_path, LOST, duplicate_window_minutes=0) as house:
        await house.service.create(an_intent())
        changed = an_intent(OTHER_KEY, 1_001)
        with pytest.raises(PossibleDuplicate) as caught:
            await house.service.create(changed)
        assert caught.value.confirmable
        assert caught.value.earlier.name == KEY
        assert house.posts == 1
        assert await code_of(house.service.create(replace(changed, confirmed_duplicate_of=KEY))) == ""
        assert await code_of(house.service.create(an_intent("order-0003", 1_002), asker=Person())) == ""


@pytest.mark.parametrize(
    "said", [PAID, answer(Status.PENDING), answer(Status.SCA_REQUIRED)], ids=["paid", "open", "sca"]
)
@pytest.mark.parametrize("change", [{}, {"bban": BBAN}, {"ssn": OTHER_KENNITALA}, {"name": "Another name"}])
async def test_an_equal_payment_under_another_key_is_held_up(
    tmp_path: Path, said: Step, change: dict[str, Any]
) -> None:
    """Another key, equal payment (same account, same amount): possible_duplicate, naming the earlier one."""
    async with paying(tmp_path, said) as house:
        await house.service.create(an_intent())
        with pytest.raises(PossibleDuplicate) as caught:
            await house.service.create(an_intent(OTHER_KEY, **change))
        assert caught.value.earlier.payment_id == "pay-1"
        assert house.posts == 1
        assert in_ledger(house, OTHER_KEY) is None


@pytest.mark.parametrize("change", [{"amount_isk": 999}, {"iban": iban_of(OTHER_BBAN)}, {"iban": FOREIGN_IBAN}])
async def test_another_amount_or_account_is_no_duplicate(tmp_path: Path, change: dict[str, Any]) -> None:
    """Equal is: same account, same amount."""
    async with paying(tmp_path, PAID) as house:
        await house.service.create(an_intent())
        assert await code_of(house.service.create(an_intent(OTHER_KEY, **change))) == ""


@pytest.mark.parametrize(
    "said", [answer(Status.REJECTED), answer(Status.CANCELLED), answer(Status.ERROR), refused(400), NotSent("no")]
)
async def test_one_that_failed_or_was_refused_holds_nothing_up(tmp_path: Path, said: Step) -> None:
    """One that failed or was refused holds nothing up."""
    async with paying(tmp_path, said) as house:
        await house.service.create(an_intent())
        assert await code_of(house.service.create(an_intent(OTHER_KEY))) == ""
        assert house.posts == 2


@pytest.mark.parametrize(("minutes", "held_up_until"), [(1440, 1440), (10, 10)])
async def test_an_equal_payment_is_held_up_while_the_earlier_one_is_younger_than_the_window(
    tmp_path: Path, minutes: int, held_up_until: int
) -> None:
    """BLIKK_DUPLICATE_WINDOW_MINUTES: how long an equal payment is held up."""
    async with paying(tmp_path, PAID, duplicate_window_minutes=minutes) as house:
        await house.service.create(an_intent())
        await anyio.sleep(held_up_until * 60 - 1)
        assert await code_of(house.service.create(an_intent(OTHER_KEY))) == "possible_duplicate"
        await anyio.sleep(1)
        assert await code_of(house.service.create(an_intent(OTHER_KEY))) == ""


async def test_a_window_of_zero_turns_it_off(tmp_path: Path) -> None:
    """BLIKK_DUPLICATE_WINDOW_MINUTES: 0 turns it off."""
    async with paying(tmp_path, PAID, PAID, duplicate_window_minutes=0) as house:
        await house.service.create(an_intent())
        assert await code_of(house.service.create(an_intent(OTHER_KEY))) == ""


@pytest.mark.parametrize("minutes", [0, 10])
async def test_an_unknown_outcome_holds_up_without_regard_to_the_window(tmp_path: Path, minutes: int) -> None:
    """An unknown one holds up without regard to the window and cannot be confirmed away; `ledger resolve` ends that."""
    async with paying(tmp_path, LOST, duplicate_window_minutes=minutes) as house:
        await house.service.create(an_intent())
        await anyio.sleep(30 * 86_400)
        for person in (None, Person()):
            for named in ("", "pay-1"):
                intent = an_intent(OTHER_KEY, confirmed_duplicate_of=named)
                assert await code_of(house.service.create(intent, asker=person)) == "possible_duplicate"
        assert house.posts == 1
        house.ledger.resolve_not_created(KEY, note="", now=virtual_now())
        assert await code_of(house.service.create(an_intent(OTHER_KEY))) == ""


async def test_an_equal_payment_that_is_being_sent_holds_up(tmp_path: Path) -> None:
    """It is open; two keys for one purchase at the same moment are one payment too many."""
    async with paying(tmp_path, after(2, PAID)) as house, anyio.create_task_group() as tasks:
        tasks.start_soon(house.service.create, an_intent())
        await anyio.sleep(1)
        assert await code_of(house.service.create(an_intent(OTHER_KEY), asker=Person())) == "possible_duplicate"
        assert house.posts == 1


async def test_the_named_earlier_payment_lets_the_second_one_pass_once_each(tmp_path: Path) -> None:
    """confirmed_duplicate_of: once a person has said that both are meant; a third one needs its own word."""
    async with paying(tmp_path, PAID, PAID) as house:
        await house.service.create(an_intent())
        await anyio.sleep(1)
        meant = an_intent(OTHER_KEY, confirmed_duplicate_of="pay-1")
        assert await code_of(house.service.create(meant)) == ""
        third = an_intent("order-0003", confirmed_duplicate_of="pay-1")
        assert await code_of(house.service.create(third)) == "possible_duplicate"
        assert house.posts == 2
