"""A person is asked before anything is claimed."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from blikk_payments.errors import ConfirmationRequired, PaymentsError, PolicyDenied
from blikk_payments.models import Confirmation
from blikk_payments.snapshot import Snapshot
from tests.payments.doubles import Person, paying
from tests.payments.factories import KEY, OTHER_KEY, an_intent, numbered
from tests.payments.service.endings import PAID, code_of, in_ledger

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("amount", [5_001, 100_000])
async def test_a_declined_confirmation_sends_nothing(tmp_path: Path, amount: int) -> None:
    """Declined: confirmation_declined, inside create, before anything is claimed or sent."""
    async with paying(tmp_path, ask_above_isk=5_000, daily_limit_isk=100_000) as house:
        declining = Person(yes=False)
        code = await code_of(house.service.create(an_intent(amount_isk=amount), asker=declining))
        assert code == "confirmation_declined"
        assert house.posts == 0
        assert in_ledger(house) is None
        assert [question.amount_isk for question in declining.questions] == [amount]
        assert await code_of(house.service.create(numbered(2, 100_000), asker=Person())) == ""


async def test_a_declined_duplicate_sends_nothing_although_the_model_says_that_it_is_meant(tmp_path: Path) -> None:
    """A client that can ask is always asked, also when confirmed_duplicate_of is given."""
    async with paying(tmp_path, PAID) as house:
        await house.service.create(an_intent())
        person = Person(yes=False)
        intent = an_intent(OTHER_KEY, confirmed_duplicate_of="pay-1")
        assert await code_of(house.service.create(intent, asker=person)) == "confirmation_declined"
        assert ([question.duplicate_of for question in person.questions], house.posts) == (["pay-1"], 1)


@pytest.mark.parametrize(("key", "code"), [(KEY, "confirmation_required"), (OTHER_KEY, "possible_duplicate")])
async def test_a_question_without_an_answer_is_neither_yes_nor_no(tmp_path: Path, key: str, code: str) -> None:
    """Nobody may have been asked: above the threshold it needs a word still, and a duplicate stays a possible one."""
    person = Person(says=Confirmation.UNANSWERED)
    async with paying(tmp_path, PAID, ask_above_isk=0 if key == KEY else None) as house:
        if key != KEY:
            await house.service.create(an_intent())
        with pytest.raises(PaymentsError) as ended:
            await house.service.create(an_intent(key), asker=person)
        assert (ended.value.code, len(person.questions)) == (code, 1)
        assert not isinstance(ended.value, ConfirmationRequired)
        assert "got no answer" in ended.value.message
        assert ("beside an earlier payment" in ended.value.message) == (key != KEY)
        assert house.posts == (key != KEY)


async def test_a_yes_sends_it_once_and_is_not_asked_for_again(tmp_path: Path) -> None:
    """Asked inside create; a replay asks nobody."""
    person = Person()
    async with paying(tmp_path, PAID, ask_above_isk=0) as house:
        await house.service.create(an_intent(), asker=person)
        again = await house.service.create(an_intent(), asker=person)
        assert len(person.questions) == 1
        assert again.replayed
        assert house.posts == 1


async def test_nobody_is_asked_about_what_needs_no_asking_or_cannot_be(tmp_path: Path) -> None:
    """A person is asked about the threshold and duplicates only, and not where a limit says no anyway."""
    person = Person()
    async with paying(tmp_path, PAID, ask_above_isk=5_000, max_amount_isk=10_000) as house:
        assert await code_of(house.service.create(an_intent(amount_isk=5_000), asker=person)) == ""
        assert await code_of(house.service.create(numbered(2, 10_001), asker=person)) == "over_limit"
        assert person.questions == []


async def test_a_person_is_asked_about_an_equal_payment_as_long_as_the_window_is(tmp_path: Path) -> None:
    """And then their yes is enough: what they were asked is what the claim is decided on."""
    person = Person()
    async with paying(tmp_path, PAID, PAID, PAID, duplicate_window_minutes=60) as house:
        await house.service.create(an_intent())
        await anyio.sleep(59 * 60)
        assert await code_of(house.service.create(an_intent(OTHER_KEY), asker=person)) == ""
        assert [question.duplicate_of for question in person.questions] == ["pay-1"]
        await anyio.sleep(61 * 60)
        assert await code_of(house.service.create(an_intent("order-0003"), asker=person)) == ""
        assert (len(person.questions), house.posts) == (1, 3)


async def test_a_way_to_ask_that_breaks_sends_nothing(tmp_path: Path) -> None:
    """In the modern era asking ends the call: it is repeated with the answer, and until then nothing is claimed."""

    class AnswerNeeded(Exception):
        pass

    async def interrupt() -> None:
        raise AnswerNeeded

    async with paying(tmp_path, ask_above_isk=0) as house:
        with pytest.raises(AnswerNeeded):
            await house.service.create(an_intent(), asker=Person(meanwhile=interrupt))
        assert (house.posts, in_ledger(house)) == (0, None)


async def test_an_equal_payment_made_while_the_person_was_reading_is_a_new_question(tmp_path: Path) -> None:
    """A yes is bound to what was asked; the claim's own transaction checks it against what is true then."""
    async with paying(tmp_path, PAID, ask_above_isk=500) as house:

        async def meanwhile() -> Snapshot:
            return await house.service.create(an_intent(OTHER_KEY), asker=Person())

        with pytest.raises(ConfirmationRequired) as caught:
            await house.service.create(an_intent(), asker=Person(meanwhile=meanwhile))
        assert caught.value.question.duplicate_of == "pay-1"
        assert house.posts == 1
        assert in_ledger(house) is None


async def test_a_limit_that_was_used_up_while_the_person_was_reading_still_holds(tmp_path: Path) -> None:
    """A yes lifts no limit."""
    async with paying(tmp_path, PAID, ask_above_isk=500, daily_limit_isk=1_500) as house:

        async def meanwhile() -> Snapshot:
            return await house.service.create(numbered(2), asker=Person())

        with pytest.raises(PolicyDenied) as caught:
            await house.service.create(an_intent(), asker=Person(meanwhile=meanwhile))
        assert (caught.value.code, house.posts) == ("over_limit", 1)


async def test_a_client_that_cannot_ask_is_refused_above_the_threshold(tmp_path: Path) -> None:
    """A client that cannot: confirmation_required above the threshold."""
    async with paying(tmp_path, ask_above_isk=500) as house:
        assert await code_of(house.service.create(an_intent())) == "confirmation_required"
        assert (house.posts, in_ledger(house)) == (0, None)
