"""The ledger's contract, on every engine: what became of a request, and answers that no record can take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from blikk_payments.channel.wire import Status
from blikk_payments.errors import (
    OutcomeUnknown,
    PaymentNotFound,
)
from blikk_payments.ledger.protocol import (
    TRANSITIONS,
    IllegalTransition,
    Ledger,
)
from blikk_payments.models import ClaimState, Facts, PaymentRecord
from tests.expecting import assert_fields
from tests.payments.factories import KEY, NOON, OTHER_KEY, an_intent, answer, at
from tests.payments.ledgers import (
    Opener,
    claimed,
    events,
    facts,
    known,
    make,
    tell,
)

OUTCOMES: list[Callable[[Ledger], PaymentRecord]] = [
    lambda ledger: ledger.created(KEY, 1, answer(payment_id="blikk-1"), now=NOON),
    lambda ledger: ledger.refused(KEY, 1, code="c", bank_text="", now=NOON),
    lambda ledger: ledger.unknown(KEY, 1, reason="r", now=NOON),
    lambda ledger: ledger.resolve_created(KEY, answer(payment_id="blikk-1"), note="n", now=NOON),
    lambda ledger: ledger.resolve_not_created(KEY, note="n", now=NOON),
]
TOLD: dict[str, tuple[Callable[[Ledger], PaymentRecord], dict[str, Any]]] = {
    "refused": (
        lambda ledger: ledger.refused(KEY, 1, code="unauthorized", bank_text="Nei", now=at(2)),
        {"state": ClaimState.REFUSED, "refusal_code": "unauthorized", "bank_text": "Nei"},
    ),
    "unknown": (lambda ledger: ledger.unknown(KEY, 1, reason="r", now=at(2)), {"state": ClaimState.UNKNOWN}),
    "created": (
        lambda ledger: ledger.created(KEY, 1, answer(Status.DRAFT, payment_id="blikk-1", bank_text="Já"), now=at(2)),
        {"state": ClaimState.CREATED, "payment_id": "blikk-1", "status": Status.DRAFT, "bank_text": "Já"},
    ),
}


def test_blikks_answer_makes_it_created(ledger: Ledger) -> None:
    """Blikk's page: a 2xx with an id is a created payment."""
    claimed(ledger)

    created = ledger.created(
        KEY, 1, answer(Status.PENDING, "https://bank.is/a", payment_id="blikk-1", bank_text="hi"), now=at(2)
    )

    assert created == known(ledger) == ledger.by_payment_id("blikk-1", now=at(2))
    assert_fields(created, state=ClaimState.CREATED, payment_id="blikk-1", status=Status.PENDING)
    assert (created.approval_url, created.approval_url_at) == ("https://bank.is/a", at(2))
    assert_fields(created, bank_text="hi", updated_at=at(2), claimed_at=NOON)


@pytest.mark.parametrize("which", TOLD)
def test_an_outcome_is_kept_as_it_was_told_and_nothing_else_changes(open_ledger: Opener, which: str) -> None:
    """Whoever asks later, after a restart too, is told what this process was: bank's words and time included."""
    ledger = open_ledger()
    before = claimed(ledger, an_intent(purpose="rent", warnings=("kennitala",)))

    write, news = TOLD[which]
    outcome = write(ledger)

    assert outcome == replace(before, updated_at=at(2), **news)
    assert known(open_ledger(), now=at(3)) == outcome


def test_a_late_answer_makes_an_unknown_payment_created(ledger: Ledger) -> None:
    """A late answer is still the truth."""
    claimed(ledger)
    ledger.unknown(KEY, 1, reason="no answer", now=at(1))

    assert ledger.created(KEY, 1, answer(payment_id="blikk-1"), now=at(60)).state is ClaimState.CREATED
    assert events(ledger) == ["claimed", "sending", "unknown", "created"]


def test_a_late_refusal_makes_an_unknown_payment_refused(ledger: Ledger) -> None:
    """A late definite answer is still the truth."""
    claimed(ledger)
    ledger.unknown(KEY, 1, reason="no answer", now=at(1))

    assert ledger.refused(KEY, 1, code="rejected_by_blikk", bank_text="", now=at(2)).failed
    assert facts(ledger) == Facts()


def test_an_outcome_said_again_changes_nothing(ledger: Ledger) -> None:
    """An outcome may be written down again after an error that hid that it was kept."""
    claimed(ledger)
    unknown = ledger.unknown(KEY, 1, reason="no answer", now=at(1))
    assert unknown == ledger.unknown(KEY, 1, reason="other", now=at(2))
    refused = ledger.refused(KEY, 1, code="unauthorized", bank_text="", now=at(3))
    assert refused == ledger.refused(KEY, 1, code="other", bank_text="", now=at(4))
    claimed(ledger, now=at(5))
    created = ledger.created(KEY, 2, answer(payment_id="blikk-1"), now=at(6))
    assert created == ledger.created(KEY, 2, answer(payment_id="blikk-1"), now=at(7))
    assert events(ledger) == ["claimed", "sending", "unknown", "refused", "claimed", "sending", "created"]


@pytest.mark.parametrize("again", ["refused", "unknown"])
def test_an_earlier_attempts_outcome_is_not_taken_for_a_later_ones(ledger: Ledger, again: str) -> None:
    """Each attempt has its own outcome."""
    claimed(ledger)
    ledger.refused(KEY, 1, code="unauthorized", bank_text="", now=NOON)
    second = claimed(ledger, now=at(1))

    with pytest.raises(IllegalTransition) as caught:
        tell(ledger, again, attempt=1)

    assert second == caught.value.record == known(ledger)
    assert "stray_answer" not in events(ledger)


@pytest.mark.parametrize("outcome", ["refused", "unknown"])
def test_an_earlier_attempts_outcome_says_nothing_of_a_later_one_of_the_same_kind(
    open_ledger: Opener, outcome: str
) -> None:
    """Its sender may still be at work: until that process says so itself, nobody can say that no payment was made."""
    ledger = open_ledger()
    claimed(ledger)
    ledger.refused(KEY, 1, code="unauthorized", bank_text="", now=NOON)
    claimed(ledger, now=at(1))
    given_up = ledger.by_key(KEY, now=at(60)) if outcome == "unknown" else None
    if given_up is None:
        tell(ledger, "refused", attempt=2)

    with pytest.raises(IllegalTransition, match="attempt 1"):
        tell(ledger, outcome, attempt=1)

    if given_up is not None:
        with pytest.raises(IllegalTransition, match="has not ended"):
            ledger.resolve_not_created(KEY, note="n", now=at(3600))


def test_an_earlier_attempts_answer_with_a_later_ones_id_changes_nothing(ledger: Ledger) -> None:
    """Each attempt has its own answer; the id alone does not make it the later one's."""
    claimed(ledger)
    ledger.refused(KEY, 1, code="unauthorized", bank_text="", now=NOON)
    claimed(ledger, now=at(1))
    second = ledger.created(KEY, 2, answer(Status.PENDING, payment_id="blikk-2"), now=at(2))

    with pytest.raises(IllegalTransition):
        ledger.created(KEY, 1, answer(Status.SUCCESS, payment_id="blikk-2"), now=at(3))

    assert second == known(ledger)


@pytest.mark.parametrize("second", ["sending", "created", "refused", "unknown"])
def test_an_answer_to_an_earlier_attempt_leaves_the_key_unknown(ledger: Ledger, second: str) -> None:
    """Two requests of one key may be two payments: no id and no link is right any more, and no later word settles it."""
    claimed(ledger)
    ledger.refused(KEY, 1, code="unauthorized", bank_text="", now=NOON)
    claimed(ledger, now=at(1))
    if second != "sending":
        tell(ledger, second, attempt=2)

    with pytest.raises(OutcomeUnknown):
        ledger.created(KEY, 1, answer(Status.SCA_REQUIRED, "https://bank.is/x", payment_id="blikk-1"), now=at(2))
    ledger.refused(KEY, 2, code="unauthorized", bank_text="", now=at(3))

    record = known(ledger)
    assert record.state is ClaimState.UNKNOWN
    assert_fields(record, payment_id="", status=None, approval_url="")
    assert "stray_payment" in record.warnings
    assert ledger.stray_keys() == [KEY]
    with pytest.raises(IllegalTransition, match="more than once"):
        ledger.resolve_not_created(KEY, note="n", now=at(3600))
    assert ledger.verify() == []


@pytest.mark.parametrize("asked", ["blikk-1", "blikk-2"])
@pytest.mark.parametrize("resolved", [False, True])
def test_a_stray_payments_id_leads_to_its_key_and_to_no_link(ledger: Ledger, asked: str, resolved: bool) -> None:
    """Two payments for one key: neither's link may be shown, whichever id is asked for, until one is named the right one."""
    claimed(ledger)
    ledger.refused(KEY, 1, code="unauthorized", bank_text="", now=NOON)
    claimed(ledger, now=at(1))
    ledger.created(KEY, 2, answer(Status.SCA_REQUIRED, "https://bank.is/2", payment_id="blikk-2"), now=at(2))
    with pytest.raises(OutcomeUnknown):
        ledger.created(KEY, 1, answer(Status.SCA_REQUIRED, "https://bank.is/1", payment_id="blikk-1"), now=at(3))
    if resolved:
        ledger.resolve_created(
            KEY, answer(Status.SCA_REQUIRED, "https://bank.is/2", payment_id="blikk-2"), note="n", now=at(700)
        )

    record = ledger.by_payment_id(asked, now=at(701))

    assert record is not None
    assert record.idempotency_key == KEY
    if resolved and asked == "blikk-2":
        assert (record.state, record.payment_id) == (ClaimState.CREATED, "blikk-2")
    else:
        assert_fields(record, state=ClaimState.UNKNOWN, payment_id="", approval_url="")
        assert "stray_payment" in record.warnings
    assert ledger.by_payment_id("blikk-3", now=at(701)) is None


@pytest.mark.parametrize("again", ["refused", "unknown"])
def test_a_created_payment_is_never_taken_back(ledger: Ledger, again: str) -> None:
    """The table of transitions."""
    created = make(ledger, KEY, "blikk-1")

    with pytest.raises(IllegalTransition) as caught:
        tell(ledger, again, attempt=1)

    assert created == caught.value.record == known(ledger)


def test_a_second_id_for_a_created_payment_makes_it_unknown(ledger: Ledger) -> None:
    """Two payments of Blikk's are never merged into one record, nor is one of them taken for the right one."""
    make(ledger, KEY, "blikk-1")

    with pytest.raises(OutcomeUnknown):
        ledger.created(KEY, 1, answer(payment_id="blikk-2"), now=at(1))

    assert known(ledger).state is ClaimState.UNKNOWN
    assert ledger.history(KEY)[-1].detail["payment_id"] == "blikk-2"


def test_an_id_that_another_payment_has_makes_the_outcome_unknown(ledger: Ledger) -> None:
    """What cannot be told apart is unknown, and the other payment keeps its id."""
    first = make(ledger, KEY, "blikk-1")
    claimed(ledger, an_intent(OTHER_KEY, 500))

    with pytest.raises(OutcomeUnknown):
        ledger.created(OTHER_KEY, 1, answer(payment_id="blikk-1"), now=at(1))

    assert known(ledger, OTHER_KEY).state is ClaimState.UNKNOWN
    assert first == ledger.by_payment_id("blikk-1", now=at(1))
    assert events(ledger, OTHER_KEY)[-2:] == ["unknown", "stray_answer"]
    assert ledger.verify() == []


def test_a_stray_answer_is_open_until_an_operator_settles_it_and_the_next_one_is_open_again(ledger: Ledger) -> None:
    """What was looked into must not be reported for ever, and what came after it was not looked into."""
    make(ledger, KEY, "blikk-1")
    assert ledger.stray_keys() == []
    for stray, right in (("blikk-2", "blikk-2"), ("blikk-3", "blikk-2")):
        with pytest.raises(OutcomeUnknown):
            ledger.created(KEY, 1, answer(payment_id=stray), now=at(1))
        assert ledger.stray_keys() == [KEY]
        record = ledger.resolve_created(KEY, answer(payment_id=right), note="n", now=at(700))
        assert (ledger.stray_keys(), record.warnings) == ([], ())
    assert ledger.verify() == []


def test_a_late_answer_with_another_payments_id_puts_a_key_that_was_given_up_in_doubt(ledger: Ledger) -> None:
    """The operator said "not created", and Blikk answers after all: the key must not be sent again before a look."""
    make(ledger, KEY, "blikk-1")
    claimed(ledger, an_intent(OTHER_KEY))
    ledger.unknown(OTHER_KEY, 1, reason="no answer", now=NOON)
    ledger.resolve_not_created(OTHER_KEY, note="n", now=at(700))

    with pytest.raises(OutcomeUnknown):
        ledger.created(OTHER_KEY, 1, answer(payment_id="blikk-1"), now=at(701))

    assert (known(ledger, OTHER_KEY).state, ledger.stray_keys()) == (ClaimState.UNKNOWN, [OTHER_KEY])
    ledger.resolve_not_created(OTHER_KEY, note="n", now=at(702))
    assert ledger.stray_keys() == []


def test_blikks_refusal_is_never_overruled_by_an_answer(ledger: Ledger) -> None:
    """One request has one answer; a second one is kept in the history and not believed."""
    claimed(ledger)
    ledger.refused(KEY, 1, code="rejected_by_blikk", bank_text="", now=NOON)

    with pytest.raises(IllegalTransition):
        ledger.created(KEY, 1, answer(payment_id="blikk-9"), now=at(1))

    assert known(ledger).state is ClaimState.REFUSED
    assert events(ledger)[-1] == "stray_answer"


def test_only_the_listed_transitions_are_possible() -> None:
    """Nothing leads out of *created*, and nothing but an answer or an operator out of *unknown*."""
    assert TRANSITIONS[ClaimState.CREATED] == {ClaimState.CREATED}
    assert TRANSITIONS[ClaimState.UNKNOWN] == {ClaimState.CREATED, ClaimState.REFUSED}
    assert set(TRANSITIONS) == set(ClaimState)


@pytest.mark.parametrize("use", OUTCOMES)
def test_a_key_that_is_not_there_is_not_found(ledger: Ledger, use: Callable[[Ledger], object]) -> None:
    """An outcome needs a claim."""
    with pytest.raises(PaymentNotFound):
        use(ledger)
