"""The ledger's contract, for every engine: claims, outcomes, facts, what Blikk says, and the operator's word."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from blikk_payments.channel.wire import FAILED, TERMINAL, Status
from blikk_payments.errors import (
    IdempotencyConflict,
    LedgerUnavailable,
    OutcomeUnknown,
    PaymentNotFound,
    PolicyDenied,
)
from blikk_payments.ledger.opening import open_ledger as open_ledger_at
from blikk_payments.ledger.processes import ProcessIdentity
from blikk_payments.ledger.protocol import (
    RESOLVED_NOT_CREATED,
    SENDING_LIMIT_SECONDS,
    TRANSITIONS,
    IllegalTransition,
    Ledger,
    Only,
)
from blikk_payments.ledger.sql.ledger import SqlLedger
from blikk_payments.ledger.sql.rows import Rows
from blikk_payments.models import ClaimState, Facts, PaymentIntent, PaymentRecord
from tests.payments.factories import ACCOUNT, KENNITALA, KEY, NAME, NOON, OTHER_KEY, an_intent, answer, at
from tests.payments.ledgers import Watching, allow, deny, gone_process

Opener = Callable[..., Ledger]

LOOKS: list[Callable[[Ledger], PaymentRecord | None]] = [
    lambda ledger: ledger.by_key(KEY, now=at(1)),
    lambda ledger: ledger.find_key(an_intent(), now=at(1)),
    lambda ledger: next(iter(ledger.records(now=at(1)))),
]
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


@pytest.fixture(params=["sqlite", "postgres"])
def open_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Opens one ledger again and again, as one process or as several."""
    opened: list[Ledger] = []
    database = request.getfixturevalue("postgres").database() if request.param == "postgres" else ""

    def open_one(process: ProcessIdentity | None = None) -> Ledger:
        ledger = open_ledger_at(database or tmp_path / "state" / "ledger.sqlite3", process=process)
        opened.append(ledger)
        return ledger

    yield open_one
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(open_ledger: Opener) -> Ledger:
    return open_ledger()


def claim(ledger: Ledger, wanted: PaymentIntent | None = None, *, now: datetime = NOON) -> PaymentRecord:
    """A claim that has to be fresh."""
    claimed = ledger.claim(wanted or an_intent(), allow, window_minutes=1440, now=now)
    assert claimed.fresh
    return claimed.record


def make(ledger: Ledger, key: str, payment_id: str, *, amount_isk: int = 1000, now: datetime = NOON) -> PaymentRecord:
    """A payment that Blikk created."""
    claim(ledger, an_intent(key, amount_isk), now=now)
    return ledger.created(key, 1, answer(payment_id=payment_id), now=now)


def facts(ledger: Ledger, *, window_minutes: int = 1440, now: datetime = NOON) -> Facts:
    """What a payment under a new key would be decided on."""
    return ledger.facts(an_intent("order-new"), window_minutes=window_minutes, now=now)


def known(ledger: Ledger, key: str = KEY, *, now: datetime = NOON) -> PaymentRecord:
    """The record under the key, which has to be there."""
    record = ledger.by_key(key, now=now)
    assert record is not None
    return record


def events(ledger: Ledger, key: str = KEY) -> list[str]:
    """What happened to the payment, oldest first."""
    return [entry.event for entry in ledger.history(key)]


# Claims


def test_a_new_key_is_claimed_and_sending_in_one_step(ledger: Ledger) -> None:
    """The intent is written down before a byte is sent."""
    claimed = ledger.claim(an_intent(purpose="ink", warnings=("w",)), allow, window_minutes=1440, now=NOON)

    expected = PaymentRecord(
        idempotency_key=KEY,
        state=ClaimState.SENDING,
        amount_isk=1000,
        creditor_name=NAME,
        masked_account="0159-26-•••654",
        claimed_at=NOON,
        updated_at=NOON,
        purpose="ink",
        warnings=("w",),
    )
    assert claimed.fresh
    assert expected == claimed.record == known(ledger)
    assert events(ledger) == ["claimed", "sending"]


def test_a_claim_outlives_its_process(open_ledger: Opener) -> None:
    """The claim is durable before it is answered."""
    claim(open_ledger())

    again = open_ledger().claim(an_intent(), deny, window_minutes=1440, now=NOON)

    assert not again.fresh
    assert again.record.state is ClaimState.SENDING


def test_what_decide_raises_undoes_the_claim(ledger: Ledger) -> None:
    """Limits are checked and reserved in the claim's own transaction."""
    with pytest.raises(PolicyDenied):
        ledger.claim(an_intent(), deny, window_minutes=1440, now=NOON)

    assert ledger.by_key(KEY, now=NOON) is None
    assert facts(ledger) == Facts()
    assert events(ledger) == []


def test_the_same_key_is_answered_without_asking_the_limits(ledger: Ledger) -> None:
    """A replay is answered whatever limits and lists say now; name and purpose do not count."""
    first = claim(ledger)

    again = ledger.claim(an_intent(name="J. J.", purpose="x"), deny, window_minutes=1440, now=at(1))

    assert not again.fresh
    assert first == again.record


@pytest.mark.parametrize(
    "other",
    [an_intent(amount_isk=1001), an_intent(account_key="IS0159260076546"), an_intent(ssn="0101302980")],
    ids=["amount", "account", "kennitala"],
)
def test_another_payment_under_the_same_key_is_a_conflict(ledger: Ledger, other: PaymentIntent) -> None:
    """Amount, account and kennitala decide whether it is the same payment."""
    claim(ledger)

    with pytest.raises(IdempotencyConflict):
        ledger.claim(other, allow, window_minutes=1440, now=NOON)
    with pytest.raises(IdempotencyConflict):
        ledger.find_key(other, now=NOON)


def test_a_refused_key_may_be_sent_again_with_corrected_arguments(ledger: Ledger) -> None:
    """After a definite refusal the key may be sent again, with the same or corrected arguments."""
    claim(ledger)
    ledger.refused(KEY, 1, code="rejected_by_blikk", bank_text="bad name", now=at(1))

    corrected = an_intent(amount_isk=900, account_key="IS0159260076546", name="Jóna")
    again = ledger.claim(corrected, allow, window_minutes=1440, now=at(2))

    assert again.fresh
    assert again.record.attempt == 2
    assert (again.record.amount_isk, again.record.creditor_name) == (900, "Jóna")
    assert (again.record.refusal_code, again.record.bank_text, again.record.claimed_at) == ("", "", at(2))
    assert facts(ledger, now=at(2)).reserved_today_isk == 900
    with pytest.raises(IdempotencyConflict):
        ledger.claim(an_intent(), allow, window_minutes=1440, now=at(3))


def test_a_refused_key_has_to_pass_the_limits_again(ledger: Ledger) -> None:
    """A refusal gave the room back, so it has to be taken again."""
    claim(ledger)
    refused = ledger.refused(KEY, 1, code="unauthorized", bank_text="", now=at(1))

    with pytest.raises(PolicyDenied):
        ledger.claim(an_intent(), deny, window_minutes=1440, now=at(2))

    assert refused == known(ledger)


def test_an_unknown_key_is_never_sent_again(ledger: Ledger) -> None:
    """After an unknown outcome the key is only answered, however old it is."""
    claim(ledger)
    ledger.unknown(KEY, 1, reason="no answer", now=at(1))

    again = ledger.claim(an_intent(), allow, window_minutes=0, now=NOON + timedelta(days=400))

    assert not again.fresh
    assert again.record.state is ClaimState.UNKNOWN


def test_find_key_tells_what_a_claim_would_be_answered_with(ledger: Ledger) -> None:
    """A person is not asked about a payment that would only be answered again."""
    assert ledger.find_key(an_intent(), now=NOON) is None
    first = claim(ledger)
    assert first == ledger.find_key(an_intent(), now=NOON)
    ledger.refused(KEY, 1, code="unauthorized", bank_text="", now=NOON)
    assert ledger.find_key(an_intent(amount_isk=2), now=NOON) is None


# A sender that is gone


def test_a_claim_whose_process_died_is_unknown_at_once(open_ledger: Opener) -> None:
    """A claim whose process died while sending is unknown as soon as that process is known to be gone."""
    claim(open_ledger(gone_process()))
    ledger = open_ledger()

    assert ledger.claim(an_intent(), allow, window_minutes=0, now=at(1)).record.state is ClaimState.UNKNOWN
    assert events(ledger) == ["claimed", "sending", "unknown"]
    assert ledger.history(KEY)[-1].detail["reason"] == "sender_gone"


@pytest.mark.parametrize("seconds", [SENDING_LIMIT_SECONDS, 3600])
def test_a_claim_that_is_sending_too_long_is_unknown(ledger: Ledger, seconds: int) -> None:
    """At the latest after 30 s, whether its process lives or not."""
    claim(ledger)

    assert known(ledger, now=at(seconds - 0.001 if seconds == SENDING_LIMIT_SECONDS else 0)).state is ClaimState.SENDING
    assert known(ledger, now=at(seconds)).state is ClaimState.UNKNOWN
    assert known(ledger, now=at(1)).state is ClaimState.UNKNOWN


@pytest.mark.parametrize("look", LOOKS)
def test_whoever_looks_at_a_dead_claim_sees_that_it_is_unknown(
    open_ledger: Opener, look: Callable[[Ledger], PaymentRecord | None]
) -> None:
    """An outcome nobody will report is told as what it is, wherever it is asked for."""
    claim(open_ledger(gone_process()))
    ledger = open_ledger()

    record = look(ledger)

    assert record is not None
    assert record.state is ClaimState.UNKNOWN
    assert events(ledger)[-1] == "unknown"


def test_facts_tell_of_a_dead_equal_claim_and_write_nothing(open_ledger: Opener) -> None:
    """Facts are read only, and tell what a claim would find."""
    claim(open_ledger(gone_process()))
    ledger = open_ledger()

    assert [one.state for one in facts(ledger, window_minutes=0).possible_duplicates] == [ClaimState.UNKNOWN]
    assert events(ledger) == ["claimed", "sending"]


def test_a_claim_marks_a_dead_equal_claim_unknown(open_ledger: Opener) -> None:
    """An equal payment whose outcome is unknown holds up without regard to the window."""
    claim(open_ledger(gone_process()))
    ledger, decide = open_ledger(), Watching()

    ledger.claim(an_intent(OTHER_KEY), decide, window_minutes=1440, now=at(1))

    assert [one.state for one in decide.facts[0].possible_duplicates] == [ClaimState.UNKNOWN]
    assert events(ledger) == ["claimed", "sending", "unknown"]


# Outcomes


def test_blikks_answer_makes_it_created(ledger: Ledger) -> None:
    """Blikk's page: a 2xx with an id is a created payment."""
    claim(ledger)

    created = ledger.created(
        KEY, 1, answer(Status.PENDING, "https://bank.is/a", payment_id="blikk-1", bank_text="hi"), now=at(2)
    )

    assert created == known(ledger) == ledger.by_payment_id("blikk-1", now=at(2))
    assert (created.state, created.payment_id, created.status) == (ClaimState.CREATED, "blikk-1", Status.PENDING)
    assert (created.approval_url, created.approval_url_at) == ("https://bank.is/a", at(2))
    assert (created.bank_text, created.updated_at, created.claimed_at) == ("hi", at(2), NOON)


@pytest.mark.parametrize("which", TOLD)
def test_an_outcome_is_kept_as_it_was_told_and_nothing_else_changes(open_ledger: Opener, which: str) -> None:
    """Whoever asks later, after a restart too, is told what this process was: bank's words and time included."""
    ledger = open_ledger()
    claimed = claim(ledger, an_intent(purpose="rent", warnings=("kennitala",)))

    write, news = TOLD[which]
    outcome = write(ledger)

    assert outcome == replace(claimed, updated_at=at(2), **news)
    assert known(open_ledger(), now=at(3)) == outcome


def test_a_late_answer_makes_an_unknown_payment_created(ledger: Ledger) -> None:
    """A late answer is still the truth."""
    claim(ledger)
    ledger.unknown(KEY, 1, reason="no answer", now=at(1))

    assert ledger.created(KEY, 1, answer(payment_id="blikk-1"), now=at(60)).state is ClaimState.CREATED
    assert events(ledger) == ["claimed", "sending", "unknown", "created"]


def test_a_late_refusal_makes_an_unknown_payment_refused(ledger: Ledger) -> None:
    """A late definite answer is still the truth."""
    claim(ledger)
    ledger.unknown(KEY, 1, reason="no answer", now=at(1))

    assert ledger.refused(KEY, 1, code="rejected_by_blikk", bank_text="", now=at(2)).failed
    assert facts(ledger) == Facts()


def test_an_outcome_said_again_changes_nothing(ledger: Ledger) -> None:
    """An outcome may be written down again after an error that hid that it was kept."""
    claim(ledger)
    unknown = ledger.unknown(KEY, 1, reason="no answer", now=at(1))
    assert unknown == ledger.unknown(KEY, 1, reason="other", now=at(2))
    refused = ledger.refused(KEY, 1, code="unauthorized", bank_text="", now=at(3))
    assert refused == ledger.refused(KEY, 1, code="other", bank_text="", now=at(4))
    claim(ledger, now=at(5))
    created = ledger.created(KEY, 2, answer(payment_id="blikk-1"), now=at(6))
    assert created == ledger.created(KEY, 2, answer(payment_id="blikk-1"), now=at(7))
    assert events(ledger) == ["claimed", "sending", "unknown", "refused", "claimed", "sending", "created"]


@pytest.mark.parametrize("again", ["refused", "unknown"])
def test_an_earlier_attempts_outcome_is_not_taken_for_a_later_ones(ledger: Ledger, again: str) -> None:
    """Each attempt has its own outcome."""
    claim(ledger)
    ledger.refused(KEY, 1, code="unauthorized", bank_text="", now=NOON)
    second = claim(ledger, now=at(1))

    with pytest.raises(IllegalTransition) as caught:
        _tell(ledger, again, attempt=1)

    assert second == caught.value.record == known(ledger)
    assert "stray_answer" not in events(ledger)


@pytest.mark.parametrize("outcome", ["refused", "unknown"])
def test_an_earlier_attempts_outcome_says_nothing_of_a_later_one_of_the_same_kind(
    open_ledger: Opener, outcome: str
) -> None:
    """Its sender may still be at work: until that process says so itself, nobody can say that no payment was made."""
    ledger = open_ledger()
    claim(ledger)
    ledger.refused(KEY, 1, code="unauthorized", bank_text="", now=NOON)
    claim(ledger, now=at(1))
    given_up = ledger.by_key(KEY, now=at(60)) if outcome == "unknown" else None
    if given_up is None:
        _tell(ledger, "refused", attempt=2)

    with pytest.raises(IllegalTransition, match="attempt 1"):
        _tell(ledger, outcome, attempt=1)

    if given_up is not None:
        with pytest.raises(IllegalTransition, match="has not ended"):
            ledger.resolve_not_created(KEY, note="n", now=at(3600))


def test_an_earlier_attempts_answer_with_a_later_ones_id_changes_nothing(ledger: Ledger) -> None:
    """Each attempt has its own answer; the id alone does not make it the later one's."""
    claim(ledger)
    ledger.refused(KEY, 1, code="unauthorized", bank_text="", now=NOON)
    claim(ledger, now=at(1))
    second = ledger.created(KEY, 2, answer(Status.PENDING, payment_id="blikk-2"), now=at(2))

    with pytest.raises(IllegalTransition):
        ledger.created(KEY, 1, answer(Status.SUCCESS, payment_id="blikk-2"), now=at(3))

    assert second == known(ledger)


@pytest.mark.parametrize("second", ["sending", "created", "refused", "unknown"])
def test_an_answer_to_an_earlier_attempt_leaves_the_key_unknown(ledger: Ledger, second: str) -> None:
    """Two requests of one key may be two payments: no id and no link is right any more, and no later word settles it."""
    claim(ledger)
    ledger.refused(KEY, 1, code="unauthorized", bank_text="", now=NOON)
    claim(ledger, now=at(1))
    if second != "sending":
        _tell(ledger, second, attempt=2)

    with pytest.raises(OutcomeUnknown):
        ledger.created(KEY, 1, answer(Status.SCA_REQUIRED, "https://bank.is/x", payment_id="blikk-1"), now=at(2))
    ledger.refused(KEY, 2, code="unauthorized", bank_text="", now=at(3))

    record = known(ledger)
    assert record.state is ClaimState.UNKNOWN
    assert (record.payment_id, record.status, record.approval_url) == ("", None, "")
    assert "stray_payment" in record.warnings
    assert ledger.stray_keys() == [KEY]
    with pytest.raises(IllegalTransition, match="more than once"):
        ledger.resolve_not_created(KEY, note="n", now=at(3600))
    assert ledger.verify() == []


@pytest.mark.parametrize("asked", ["blikk-1", "blikk-2"])
@pytest.mark.parametrize("resolved", [False, True])
def test_a_stray_payments_id_leads_to_its_key_and_to_no_link(ledger: Ledger, asked: str, resolved: bool) -> None:
    """Two payments for one key: neither's link may be shown, whichever id is asked for, until one is named the right one."""
    claim(ledger)
    ledger.refused(KEY, 1, code="unauthorized", bank_text="", now=NOON)
    claim(ledger, now=at(1))
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
        assert (record.state, record.payment_id, record.approval_url) == (ClaimState.UNKNOWN, "", "")
        assert "stray_payment" in record.warnings
    assert ledger.by_payment_id("blikk-3", now=at(701)) is None


@pytest.mark.parametrize("again", ["refused", "unknown"])
def test_a_created_payment_is_never_taken_back(ledger: Ledger, again: str) -> None:
    """The table of transitions."""
    created = make(ledger, KEY, "blikk-1")

    with pytest.raises(IllegalTransition) as caught:
        _tell(ledger, again, attempt=1)

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
    claim(ledger, an_intent(OTHER_KEY, 500))

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
    claim(ledger, an_intent(OTHER_KEY))
    ledger.unknown(OTHER_KEY, 1, reason="no answer", now=NOON)
    ledger.resolve_not_created(OTHER_KEY, note="n", now=at(700))

    with pytest.raises(OutcomeUnknown):
        ledger.created(OTHER_KEY, 1, answer(payment_id="blikk-1"), now=at(701))

    assert (known(ledger, OTHER_KEY).state, ledger.stray_keys()) == (ClaimState.UNKNOWN, [OTHER_KEY])
    ledger.resolve_not_created(OTHER_KEY, note="n", now=at(702))
    assert ledger.stray_keys() == []


def test_blikks_refusal_is_never_overruled_by_an_answer(ledger: Ledger) -> None:
    """One request has one answer; a second one is kept in the history and not believed."""
    claim(ledger)
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


# What Blikk says later


def test_a_status_is_written_down_once(ledger: Ledger) -> None:
    """Nothing is written when nothing changed."""
    make(ledger, KEY, "blikk-1")

    seen = ledger.seen(answer(Status.PENDING, payment_id="blikk-1"), now=at(5))
    again = ledger.seen(answer(Status.PENDING, payment_id="blikk-1"), now=at(6))

    assert seen is not None
    assert (seen.status, seen.updated_at) == (Status.PENDING, at(5))
    assert seen == again == known(ledger)
    assert events(ledger) == ["claimed", "sending", "created", "seen"]


def test_an_id_that_is_not_in_the_ledger_is_none(ledger: Ledger) -> None:
    """What the ledger does not know it does not write down."""
    assert ledger.seen(answer(payment_id="blikk-7"), now=NOON) is None
    assert ledger.by_payment_id("blikk-7", now=NOON) is None
    claim(ledger)
    assert ledger.by_payment_id("", now=NOON) is None
    assert ledger.seen(answer(payment_id=""), now=NOON) is None


@pytest.mark.parametrize("last", sorted(TERMINAL))
@pytest.mark.parametrize("later", [Status.PENDING, Status.SUCCESS, Status.ERROR, Status.OTHER])
def test_a_terminal_status_never_changes_but_from_a_failure_to_success(
    ledger: Ledger, last: Status, later: Status
) -> None:
    """Blikk's page: SUCCESS, CANCELLED, REJECTED and ERROR are terminal; a SUCCESS that comes late is the truth."""
    make(ledger, KEY, "blikk-1")
    ended = ledger.seen(answer(last, payment_id="blikk-1"), now=at(1))
    if last is not Status.SUCCESS and later is Status.SUCCESS:
        corrected = ledger.seen(answer(later, payment_id="blikk-1"), now=at(2))
        assert corrected == known(ledger)
        assert known(ledger).status is Status.SUCCESS
        assert [entry.detail.get("status") for entry in ledger.history(KEY)][-2:] == [last, later]
        return

    assert ended == ledger.seen(answer(later, "https://bank.is/x", payment_id="blikk-1"), now=at(2)) == known(ledger)


def test_the_order_of_statuses_may_vary(ledger: Ledger) -> None:
    """Blikk's sister API: until it is terminal, Blikk's newest word counts."""
    make(ledger, KEY, "blikk-1")
    for second, status in enumerate([Status.SCA_REQUIRED, Status.PENDING, Status.OTHER, Status.DRAFT], 1):
        seen = ledger.seen(answer(status, payment_id="blikk-1"), now=at(second))
        assert seen is not None
        assert seen.status is status


@pytest.mark.parametrize(
    ("status", "url", "expected", "expected_at"),
    [
        (Status.PENDING, "", "https://bank.is/1", NOON),
        (Status.PENDING, "https://bank.is/1", "https://bank.is/1", NOON),
        (Status.PENDING, "https://bank.is/2", "https://bank.is/2", at(9)),
        (Status.SCA_REQUIRED, "https://bank.is/2", "https://bank.is/2", at(9)),
        (Status.SCA_REQUIRED, "", "", None),
        (Status.USER_ONBOARDING_REQUIRED, "", "", None),
    ],
)
def test_the_newest_link_wins_and_an_old_one_is_void_when_a_person_is_needed(
    ledger: Ledger, status: Status, url: str, expected: str, expected_at: datetime | None
) -> None:
    """Blikk's sister API: newest non-empty URL wins; at SCA_REQUIRED without a URL the old one is void."""
    claim(ledger)
    ledger.created(KEY, 1, answer(Status.DRAFT, "https://bank.is/1", payment_id="blikk-1"), now=NOON)

    seen = ledger.seen(answer(status, url, payment_id="blikk-1"), now=at(9))

    assert seen is not None
    assert (seen.approval_url, seen.approval_url_at) == (expected, expected_at)
    assert seen == known(ledger)


# Facts


def test_open_paid_and_unknown_payments_take_room_and_failed_ones_give_it_back(ledger: Ledger) -> None:
    """Open, paid and unknown payments count; failed and refused ones give their room back."""
    for number, status in enumerate(Status, 1):
        make(ledger, f"order-{number}", f"blikk-{number}", amount_isk=number)
        ledger.seen(answer(status, payment_id=f"blikk-{number}"), now=at(1))
    claim(ledger, an_intent("order-sending", 1000))
    claim(ledger, an_intent("order-unknown", 2000))
    ledger.unknown("order-unknown", 1, reason="r", now=NOON)
    claim(ledger, an_intent("order-refused", 4000))
    ledger.refused("order-refused", 1, code="c", bank_text="", now=NOON)

    counted = sum(number for number, status in enumerate(Status, 1) if status not in FAILED)
    assert facts(ledger, now=at(1)).reserved_today_isk == counted + 3000


def test_a_payment_counts_on_the_utc_day_it_was_created(ledger: Ledger) -> None:
    """UTC, which is Iceland's time; a late outcome does not move it."""
    late = NOON.replace(hour=23, minute=59, second=59, microsecond=999_999)
    next_day = late + timedelta(microseconds=1)
    make(ledger, KEY, "blikk-1", now=late)
    ledger.seen(answer(Status.PENDING, payment_id="blikk-1"), now=next_day)

    assert facts(ledger, now=late).reserved_today_isk == 1000
    assert facts(ledger, now=next_day).reserved_today_isk == 0


def test_a_minute_counts_what_was_let_through_and_not_refused(ledger: Ledger) -> None:
    """New payments in a minute; replays and refusals do not count, failed payments do."""
    for number, second in enumerate([0.0, 0.5, 0.75, 30, 59.9], 1):
        make(ledger, f"order-{number}", f"blikk-{number}", now=at(second))
    ledger.seen(answer(Status.ERROR, payment_id="blikk-4"), now=at(31))
    ledger.claim(an_intent("order-5"), allow, window_minutes=0, now=at(59.9))
    claim(ledger, an_intent("order-6"), now=at(59.9))
    ledger.refused("order-6", 1, code="c", bank_text="", now=at(59.9))

    counts = {
        second: facts(ledger, now=at(second)).claims_last_minute for second in (59.99, 60, 60.5, 60.6, 61, 90, 119.9)
    }

    assert counts == {59.99: 5, 60: 4, 60.5: 3, 60.6: 3, 61: 2, 90: 1, 119.9: 0}


def test_equal_payments_are_the_same_account_and_amount_under_another_key(ledger: Ledger) -> None:
    """Same account, same amount; the kennitala and the name do not count."""
    equal = claim(ledger, an_intent("order-1", ssn="0101302980", name="Other"))
    claim(ledger, an_intent("order-2", 999))
    claim(ledger, an_intent("order-3", account_key="IS0159260076546"))

    assert facts(ledger).possible_duplicates == (equal,)
    assert ledger.facts(an_intent("order-1"), window_minutes=1440, now=NOON).possible_duplicates == ()


@pytest.mark.parametrize(
    ("window_minutes", "minutes_later", "held_up"),
    [(10, 9.99, True), (10, 10, False), (0, 0.1, False), (10**15, 60 * 24 * 3000, True)],
)
def test_an_equal_payment_counts_within_the_window(
    ledger: Ledger, window_minutes: int, minutes_later: float, held_up: bool
) -> None:
    """Held up while the earlier one is younger than the window; 0 turns it off."""
    make(ledger, KEY, "blikk-1")
    now = NOON + timedelta(minutes=minutes_later)

    assert bool(facts(ledger, window_minutes=window_minutes, now=now).possible_duplicates) is held_up


@pytest.mark.parametrize("window_minutes", [0, 1440])
def test_an_unknown_equal_payment_counts_whatever_its_age(ledger: Ledger, window_minutes: int) -> None:
    """An earlier one whose outcome is unknown holds up without regard to the window."""
    claim(ledger)
    unknown = ledger.unknown(KEY, 1, reason="r", now=at(1))

    assert facts(ledger, window_minutes=window_minutes, now=NOON + timedelta(days=900)).possible_duplicates == (
        unknown,
    )


def test_a_failed_or_refused_equal_payment_holds_nothing_up(ledger: Ledger) -> None:
    """One that failed or was refused holds nothing up."""
    for number, status in enumerate(sorted(FAILED), 1):
        make(ledger, f"order-{number}", f"blikk-{number}")
        ledger.seen(answer(status, payment_id=f"blikk-{number}"), now=at(1))
    claim(ledger)
    ledger.refused(KEY, 1, code="c", bank_text="", now=NOON)

    assert facts(ledger).possible_duplicates == ()


def test_a_paid_equal_payment_holds_up(ledger: Ledger) -> None:
    """Held up while the earlier one is open or paid."""
    make(ledger, KEY, "blikk-1")
    paid = ledger.seen(answer(Status.SUCCESS, payment_id="blikk-1"), now=at(1))

    assert facts(ledger).possible_duplicates == (paid,)


def test_equal_payments_come_newest_first_and_unknown_ones_are_never_crowded_out(ledger: Ledger) -> None:
    """The list is bounded, and what nobody can confirm away is always in it."""
    claim(ledger, an_intent("order-old"))
    ledger.unknown("order-old", 1, reason="r", now=NOON)
    for number in range(1, 40):
        make(ledger, f"order-{number}", f"blikk-{number}", now=at(number))

    equals = facts(ledger, now=at(40)).possible_duplicates

    assert 1 < len(equals) < 40
    assert equals[0].idempotency_key == "order-39"
    assert equals[-1].state is ClaimState.UNKNOWN
    times = [one.claimed_at for one in equals]
    assert times == sorted(times, reverse=True)


def test_decide_is_shown_the_same_facts(ledger: Ledger) -> None:
    """What is asked before and what is decided on are one reading."""
    make(ledger, KEY, "blikk-1")
    expected, decide = facts(ledger, now=at(1)), Watching()

    ledger.claim(an_intent("order-new"), decide, window_minutes=1440, now=at(1))

    assert decide.facts == [expected]
    assert expected.claims_last_minute == 1


# The operator


def test_the_operator_finds_an_unknown_payment(ledger: Ledger) -> None:
    """It stays unknown until the operator says what became of it, with a note kept in the history."""
    claim(ledger)
    ledger.unknown(KEY, 1, reason="r", now=at(1))

    resolved = ledger.resolve_created(
        KEY, answer(Status.SUCCESS, payment_id="blikk-1"), note="seen in portal", now=at(9)
    )

    assert (resolved.state, resolved.payment_id, resolved.status) == (ClaimState.CREATED, "blikk-1", Status.SUCCESS)
    assert resolved == ledger.by_payment_id("blikk-1", now=at(9))
    last = ledger.history(KEY)[-1]
    assert (last.event, last.detail["note"], last.at) == ("resolved_created", "seen in portal", at(9))


def test_the_operator_finds_that_there_is_no_payment(ledger: Ledger) -> None:
    """Its reservation counts until then; afterwards the key is free."""
    claim(ledger)
    ledger.unknown(KEY, 1, reason="r", now=at(1))
    assert facts(ledger).reserved_today_isk == 1000

    resolved = ledger.resolve_not_created(KEY, note="not in portal", now=at(600))

    assert (resolved.state, resolved.refusal_code) == (ClaimState.REFUSED, RESOLVED_NOT_CREATED)
    assert facts(ledger, now=at(600)) == Facts()
    assert ledger.history(KEY)[-1].detail["note"] == "not in portal"
    assert claim(ledger, now=at(601)).attempt == 2


def test_the_senders_own_answer_overrules_an_operators_not_created(ledger: Ledger) -> None:
    """A machine that slept in mid-request can still make the payment; then that is the truth."""
    claim(ledger)
    ledger.unknown(KEY, 1, reason="r", now=at(1))
    ledger.resolve_not_created(KEY, note="n", now=at(600))

    created = ledger.created(KEY, 1, answer(payment_id="blikk-1"), now=at(601))

    assert (created.state, created.refusal_code) == (ClaimState.CREATED, "")
    assert facts(ledger).reserved_today_isk == 1000


def test_the_operator_can_resolve_a_claim_whose_process_died(open_ledger: Opener) -> None:
    """Nobody has to look at it first."""
    claim(open_ledger(gone_process()))

    with pytest.raises(IllegalTransition, match="10 minutes"):
        open_ledger().resolve_not_created(KEY, note="n", now=at(599))
    assert open_ledger().resolve_not_created(KEY, note="n", now=at(600)).state is ClaimState.REFUSED


def test_nobody_can_say_that_it_was_not_made_while_its_sender_may_still_send_it(open_ledger: Opener) -> None:
    """A process that was stopped goes on some day: only once it has said how it ended, or has ended, it sends no more."""
    ledger = open_ledger()
    claim(ledger)
    assert known(ledger, now=at(3600)).state is ClaimState.UNKNOWN
    with pytest.raises(IllegalTransition, match="has not ended"):
        ledger.resolve_not_created(KEY, note="n", now=at(3600))
    ledger.unknown(KEY, 1, reason="no answer", now=at(3601))

    assert ledger.resolve_not_created(KEY, note="n", now=at(3602)).state is ClaimState.REFUSED


@pytest.mark.parametrize("state", [ClaimState.SENDING, ClaimState.CREATED, ClaimState.REFUSED])
def test_only_an_unknown_outcome_can_be_resolved(ledger: Ledger, state: ClaimState) -> None:
    """The operator's word fills a gap and overrules nothing."""
    claim(ledger)
    if state is not ClaimState.SENDING:
        _tell(ledger, state.value, attempt=1)
    before = known(ledger)

    with pytest.raises(IllegalTransition, match="unknown outcome"):
        ledger.resolve_created(KEY, answer(payment_id="blikk-5"), note="n", now=at(1))
    with pytest.raises(IllegalTransition, match="unknown outcome"):
        ledger.resolve_not_created(KEY, note="n", now=at(1))

    assert before == known(ledger)


def test_an_unknown_payment_cannot_be_resolved_to_another_payments_id(ledger: Ledger) -> None:
    """Two payments are never merged into one."""
    make(ledger, KEY, "blikk-1")
    claim(ledger, an_intent(OTHER_KEY, 500))
    ledger.unknown(OTHER_KEY, 1, reason="r", now=NOON)

    with pytest.raises(IllegalTransition):
        ledger.resolve_created(OTHER_KEY, answer(payment_id="blikk-1"), note="n", now=at(1))

    assert known(ledger, OTHER_KEY).state is ClaimState.UNKNOWN


def test_records_come_oldest_first(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, however many pages they fill."""
    monkeypatch.setattr("blikk_payments.ledger.sql.rows.PAGE_ROWS", 2)
    monkeypatch.setattr("blikk_payments.ledger.sql.ledger.PAGE_ROWS", 2)
    for number in range(5):
        claim(ledger, an_intent(f"order-{number}"), now=at(number))

    assert [one.idempotency_key for one in ledger.records(now=at(5))] == [f"order-{number}" for number in range(5)]


def test_pruning_forgets_the_person_and_keeps_the_payment(ledger: Ledger) -> None:
    """What is kept is what is needed never to pay again."""
    claim(ledger, an_intent(purpose="rent", warnings=("holder",)))
    ledger.created(
        KEY, 1, answer(Status.SUCCESS, "https://bank.is/1", payment_id="blikk-1", bank_text="text"), now=at(1)
    )

    assert ledger.prune(before=at(2), now=at(3)) == 1

    pruned = known(ledger)
    assert (pruned.creditor_name, pruned.purpose, pruned.approval_url, pruned.bank_text) == ("", "", "", "")
    assert (pruned.warnings, pruned.approval_url_at) == ((), None)
    assert (pruned.payment_id, pruned.amount_isk, pruned.status) == ("blikk-1", 1000, Status.SUCCESS)
    assert not ledger.claim(an_intent(), allow, window_minutes=0, now=at(4)).fresh
    assert facts(ledger).reserved_today_isk == 1000
    assert events(ledger)[-1] == "pruned"
    assert ledger.prune(before=at(9), now=at(9)) == 0
    assert ledger.verify() == []


def test_pruning_leaves_open_unknown_and_recent_payments_alone(ledger: Ledger) -> None:
    """The operator still needs what has not ended."""
    make(ledger, "order-open", "blikk-1")
    claim(ledger, an_intent("order-unknown"))
    ledger.unknown("order-unknown", 1, reason="r", now=NOON)
    claim(ledger, an_intent("order-refused"))
    ledger.refused("order-refused", 1, code="c", bank_text="", now=at(5))

    assert ledger.prune(before=at(5), now=at(6)) == 0
    assert ledger.prune(before=at(5.000001), now=at(6)) == 1
    assert known(ledger, "order-open").creditor_name == known(ledger, "order-unknown").creditor_name != ""


def test_more_payments_than_one_go_takes_are_all_pruned_and_all_listed(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on in small transactions until nothing is left, also where the last page is full."""
    for module in ("rows", "ledger"):
        monkeypatch.setattr(f"blikk_payments.ledger.sql.{module}.PAGE_ROWS", 2)
    for number in range(4):
        make(ledger, f"order-{number}", f"blikk-{number}")
        ledger.seen(answer(Status.SUCCESS, payment_id=f"blikk-{number}"), now=at(1))

    assert ledger.prune(before=at(2), now=at(3)) == 4

    assert [record.creditor_name for record in ledger.records(now=at(4))] == [""] * 4


# Input it cannot take


def test_a_time_without_a_zone_is_a_defect_of_the_caller(ledger: Ledger) -> None:
    """Times are UTC-aware."""
    with pytest.raises(ValueError, match="time zone"):
        ledger.claim(an_intent(), allow, window_minutes=0, now=NOON.replace(tzinfo=None))

    assert ledger.by_key(KEY, now=NOON) is None


def test_what_the_ledger_cannot_hold_makes_it_unavailable(ledger: Ledger) -> None:
    """Nothing is sent that could not be written down; and nothing of it is repeated."""
    unfit = "^The ledger cannot hold this text or number.$"
    with pytest.raises(LedgerUnavailable, match=unfit):
        ledger.claim(an_intent(amount_isk=2**63), allow, window_minutes=0, now=NOON)
    claim(ledger)
    with pytest.raises(LedgerUnavailable, match=unfit):
        ledger.created(KEY, 1, answer(payment_id="blikk-\ud800"), now=NOON)

    assert known(ledger).state is ClaimState.SENDING
    assert ledger.verify() == []


def test_neither_account_nor_kennitala_is_in_record_or_history(ledger: Ledger) -> None:
    """The last ten digits of an IBAN are a kennitala; neither is kept."""
    claim(ledger, an_intent(confirmed_duplicate_of="blikk-0"))

    shown = f"{known(ledger)!r} {ledger.history(KEY)!r}"

    assert KENNITALA not in shown
    assert ACCOUNT[2:] not in shown
    assert NAME not in repr(ledger.history(KEY))
    assert ledger.history(KEY)[0].detail["confirmed_duplicate_of"] == "blikk-0"


def _tell(ledger: Ledger, outcome: str, *, attempt: int) -> None:
    """Write down an outcome by its name."""
    if outcome == "created":
        ledger.created(KEY, attempt, answer(payment_id="blikk-9"), now=at(2))
    elif outcome == "refused":
        ledger.refused(KEY, attempt, code="c", bank_text="", now=at(2))
    else:
        ledger.unknown(KEY, attempt, reason="r", now=at(2))


# Clocks


@pytest.mark.parametrize("again", ["Kaffihusið ehf.", NAME])
def test_every_spelling_of_a_payee_is_remembered(ledger: Ledger, again: str) -> None:
    """Whoever was paid before under that spelling is nobody new, however else they were spelled."""
    make(ledger, KEY, "blikk-1")
    claim(ledger, an_intent(OTHER_KEY, 2000, name=again))
    ledger.created(OTHER_KEY, 1, answer(payment_id="blikk-2"), now=NOON)

    assert ledger.verify() == []


def test_payments_that_are_dated_ahead_are_none_of_the_last_minute(ledger: Ledger) -> None:
    """Ten payments made by a clock that was an hour ahead: put right, it must not stop payments for an hour."""
    for number in range(10):
        claim(ledger, an_intent(f"order-1{number:03}"), now=at(3600))

    assert facts(ledger, now=at(0)).claims_last_minute == 0
    assert facts(ledger, now=at(3599)).claims_last_minute == 0
    assert facts(ledger, now=at(3600)).claims_last_minute == 10
    assert facts(ledger, now=at(3659)).claims_last_minute == 10
    assert facts(ledger, now=at(3660)).claims_last_minute == 0


@pytest.mark.parametrize("ahead_seconds", [-3600, 3600])
def test_a_sending_of_a_host_with_another_clock_is_unknown_after_thirty_seconds_of_ours(
    open_ledger: Opener, ahead_seconds: int
) -> None:
    """Its date may be an hour ahead of our clock: then we count from when we first saw it."""
    elsewhere = ProcessIdentity(host="other-host", boot="b", namespace="n", pid=7, started="1")
    claim(open_ledger(process=elsewhere), now=at(ahead_seconds))
    ours = open_ledger()

    known(ours, now=at(0))
    if ahead_seconds > 0:
        assert known(ours, now=at(29)).state is ClaimState.SENDING
    assert known(ours, now=at(30)).state is ClaimState.UNKNOWN
    assert events(ours)[-1] == "unknown"


def test_our_own_clock_put_back_starts_the_thirty_seconds_again(open_ledger: Opener) -> None:
    """Otherwise the first look would lie ahead, and the wait would last until then."""
    elsewhere = ProcessIdentity(host="other-host", boot="b", namespace="n", pid=7, started="1")
    claim(open_ledger(process=elsewhere), now=at(0))
    ours = open_ledger()

    assert known(ours, now=at(-3600)).state is ClaimState.SENDING
    assert known(ours, now=at(-7200)).state is ClaimState.SENDING
    assert known(ours, now=at(-7200 + 30)).state is ClaimState.UNKNOWN


# Several processes


def test_another_processs_terminal_status_is_not_overwritten_by_a_stale_look(
    open_ledger: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two servers poll one payment: between our look and our write the other one learns that it was paid."""
    ours, other = open_ledger(), open_ledger()
    make(ours, KEY, "blikk-1")
    assert isinstance(ours, SqlLedger)
    engine = ours._engine  # pyright: ignore[reportPrivateUsage] - between its two transactions is where it happens
    write = engine.write

    def other_first(work: Callable[[Rows], object]) -> object:
        other.seen(answer(Status.SUCCESS, payment_id="blikk-1"), now=at(2))
        return write(work)

    monkeypatch.setattr(engine, "write", other_first)
    told = ours.seen(answer(Status.PENDING, payment_id="blikk-1"), now=at(3))

    assert told is not None
    assert told.status is Status.SUCCESS
    assert known(other).status is Status.SUCCESS


def test_a_stale_look_at_a_payment_that_came_in_doubt_meanwhile_tells_the_doubt(
    open_ledger: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blikk made a second one for the key between the look and the write: neither is told as paid."""
    ours, other = open_ledger(), open_ledger()
    make(ours, KEY, "blikk-1")
    assert isinstance(ours, SqlLedger)
    engine = ours._engine  # pyright: ignore[reportPrivateUsage] - between its two transactions is where it happens
    write = engine.write

    def other_first(work: Callable[[Rows], object]) -> object:
        with pytest.raises(OutcomeUnknown):
            other.created(KEY, 1, answer(payment_id="blikk-2"), now=at(2))
        return write(work)

    monkeypatch.setattr(engine, "write", other_first)
    told = ours.seen(answer(Status.SUCCESS, payment_id="blikk-1"), now=at(3))

    assert told == known(other)
    assert known(other).state is ClaimState.UNKNOWN


def test_a_claim_whose_work_runs_twice_is_one_fresh_claim(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer to a commit can be lost: run again, the work finds its own claim by its token."""
    assert isinstance(ledger, SqlLedger)
    engine = ledger._engine  # pyright: ignore[reportPrivateUsage] - a lost commit is an engine's
    write = engine.write

    def twice(work: Callable[[Rows], object]) -> object:
        write(work)
        return write(work)

    with monkeypatch.context() as patch:
        patch.setattr(engine, "write", twice)
        assert ledger.claim(an_intent(), allow, window_minutes=1440, now=NOON).fresh

    assert not ledger.claim(an_intent(), allow, window_minutes=1440, now=NOON).fresh
    assert events(ledger) == ["claimed", "sending"]


# Lists


def test_the_newest_payments_come_first_with_the_room_that_is_taken(ledger: Ledger) -> None:
    """What a list shows: so many, whether there are more, and what today's payments add up to."""
    for number in range(4):
        make(ledger, f"order-1{number:03}", f"blikk-{number}", now=at(number))
    claim(ledger, an_intent("yesterday", 500), now=NOON - timedelta(days=1))

    two = ledger.recent(limit=2, now=at(9))
    assert [record.idempotency_key for record in two.records] == ["order-1003", "order-1002"]
    assert (two.more, two.reserved_today_isk) == (True, 4000)
    five = ledger.recent(limit=5, now=at(9))
    assert [record.idempotency_key for record in five.records][-1] == "yesterday"
    assert not five.more


def test_payments_are_listed_by_what_became_of_them(ledger: Ledger) -> None:
    """open, unknown, paid and failed part all there are between them."""
    for number, status in enumerate(Status):
        make(ledger, f"order-{status}", f"blikk-{number}")
        ledger.seen(answer(status, payment_id=f"blikk-{number}"), now=at(1))
    claim(ledger, an_intent("order-refused"))
    ledger.refused("order-refused", 1, code="c", bank_text="", now=at(1))
    claim(ledger, an_intent("order-unknown"))
    ledger.unknown("order-unknown", 1, reason="r", now=at(1))
    claim(ledger, an_intent("order-sending"))

    def keys(only: Only) -> set[str]:
        listed = ledger.recent(only, limit=50, now=at(2)).records
        assert list(listed) == list(ledger.records(only, newest_first=True, now=at(2)))
        return {record.idempotency_key for record in listed}

    still_open = {f"order-{status}" for status in Status if status not in TERMINAL}
    assert keys(Only.OPEN) == {*still_open, "order-sending"}
    assert keys(Only.UNKNOWN) == {"order-unknown"}
    assert keys(Only.PAID) == {"order-SUCCESS"}
    assert keys(Only.FAILED) == {*(f"order-{status}" for status in FAILED), "order-refused"}
    assert keys(Only.ALL) == {key for only in Only if only is not Only.ALL for key in keys(only)}


@pytest.mark.parametrize("newest_first", [False, True])
def test_pages_neither_repeat_nor_leave_out_payments_of_the_same_moment(
    ledger: Ledger, newest_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many payments can have one time; a page may end between them."""
    defaults = Rows.page.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "limit", 3)
    for number in range(10):
        claim(ledger, an_intent(f"order-1{number:03}"), now=at(number // 4))

    keys = [record.idempotency_key for record in ledger.records(newest_first=newest_first, now=at(9))]

    assert keys == sorted(keys, reverse=newest_first)
    assert len(set(keys)) == 10
