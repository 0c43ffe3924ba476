"""What a payment says of itself: names, ages and warnings."""

from __future__ import annotations

import pytest

from blikk_payments.channel.wire import NEEDS_PERSON, Status
from blikk_payments.models import EARLIER_IN_DOUBT, EQUAL_PAYMENT, LOOKALIKE_NAME, ClaimState, Facts
from tests.payments.factories import KEY, NOON, a_record, an_intent, at

EARLIER = a_record(idempotency_key="order-0009")


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize(("seconds", "old"), [(0, False), (899, False), (900, True), (86_400, True)])
def test_a_link_that_a_person_had_for_a_quarter_of_an_hour_may_have_lapsed(
    status: Status, seconds: float, old: bool
) -> None:
    """Blikk's sister API: links live for 2 minutes, or 5; so a guess before that would send people astray."""
    record = a_record(status, approval_url="https://bank.example/1", approval_url_at=NOON, updated_at=at(-9_999))
    assert record.link_may_have_lapsed(at(seconds)) == (old and status in NEEDS_PERSON)
    assert not a_record(status).link_may_have_lapsed(at(seconds))


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize(
    ("seconds", "lately"), [(0, True), (899, True), (900, False), (-899, True), (-900, False), (-86_400, False)]
)
def test_a_failure_may_change_for_a_quarter_of_an_hour_by_whatever_clock(
    status: Status, seconds: float, lately: bool
) -> None:
    """A clock that was put back must not make a failure of last year a fresh one."""
    failed = status in (Status.CANCELLED, Status.REJECTED, Status.ERROR)
    assert a_record(status).failure_may_change(at(seconds)) == (failed and lately)


def test_a_payment_is_called_by_its_id_or_else_by_its_key() -> None:
    """What an agent can ask for it by."""
    assert a_record().name == "pay-1"
    assert a_record(state=ClaimState.UNKNOWN).name == KEY


@pytest.mark.parametrize(
    ("facts", "confirmed", "expected"),
    [
        (Facts(), "pay-9", ()),
        (Facts(possible_duplicates=(EARLIER,)), "pay-9", (EQUAL_PAYMENT,)),
        (Facts(unknown_to_account=(EARLIER,)), "pay-9", (EARLIER_IN_DOUBT,)),
        (Facts(possible_duplicates=(EARLIER,), unknown_to_account=(EARLIER,)), "pay-9", (EQUAL_PAYMENT,)),
        (Facts(possible_duplicates=(EARLIER,), unknown_to_account=(EARLIER,)), "", ()),
    ],
)
def test_the_approver_is_warned_of_what_passes_on_the_agents_word_alone(
    facts: Facts, confirmed: str, expected: tuple[str, ...]
) -> None:
    """It may never have asked them."""
    assert facts.on_the_agents_word(an_intent(confirmed_duplicate_of=confirmed)) == expected


def test_warnings_of_the_intent_come_before_those_of_the_ledger() -> None:
    """None replaces another."""
    intent = an_intent(warnings=("kennitala",))
    assert Facts().warnings(intent) == ("kennitala",)
    assert Facts(lookalike=True).warnings(intent) == ("kennitala", LOOKALIKE_NAME)
