"""The ledger's contract, on every engine: the operator's word, pruning, and lists."""

from __future__ import annotations

from datetime import timedelta

import pytest

from blikk_payments.channel.wire import FAILED, TERMINAL, Status
from blikk_payments.ledger.protocol import (
    RESOLVED_NOT_CREATED,
    IllegalTransition,
    Ledger,
    Only,
)
from blikk_payments.ledger.sql.rows import Rows
from blikk_payments.models import ClaimState, Facts
from tests.expecting import assert_fields
from tests.payments.factories import KEY, NOON, OTHER_KEY, an_intent, answer, at
from tests.payments.ledgers import (
    Opener,
    allow,
    claimed,
    events,
    facts,
    gone_process,
    known,
    make,
    tell,
)

# The operator


def test_the_operator_finds_an_unknown_payment(ledger: Ledger) -> None:
    """It stays unknown until the operator says what became of it, with a note kept in the history."""
    claimed(ledger)
    ledger.unknown(KEY, 1, reason="r", now=at(1))

    resolved = ledger.resolve_created(
        KEY, answer(Status.SUCCESS, payment_id="blikk-1"), note="seen in portal", now=at(9)
    )

    assert_fields(resolved, state=ClaimState.CREATED, payment_id="blikk-1", status=Status.SUCCESS)
    assert resolved == ledger.by_payment_id("blikk-1", now=at(9))
    last = ledger.history(KEY)[-1]
    assert_fields(last, event="resolved_created", at=at(9))
    assert last.detail["note"] == "seen in portal"


def test_the_operator_finds_that_there_is_no_payment(ledger: Ledger) -> None:
    """Its reservation counts until then; afterwards the key is free."""
    claimed(ledger)
    ledger.unknown(KEY, 1, reason="r", now=at(1))
    assert facts(ledger).reserved_today_isk == 1000

    resolved = ledger.resolve_not_created(KEY, note="not in portal", now=at(600))

    assert (resolved.state, resolved.refusal_code) == (ClaimState.REFUSED, RESOLVED_NOT_CREATED)
    assert facts(ledger, now=at(600)) == Facts()
    assert ledger.history(KEY)[-1].detail["note"] == "not in portal"
    assert claimed(ledger, now=at(601)).attempt == 2


def test_the_senders_own_answer_overrules_an_operators_not_created(ledger: Ledger) -> None:
    """A machine that slept in mid-request can still make the payment; then that is the truth."""
    claimed(ledger)
    ledger.unknown(KEY, 1, reason="r", now=at(1))
    ledger.resolve_not_created(KEY, note="n", now=at(600))

    created = ledger.created(KEY, 1, answer(payment_id="blikk-1"), now=at(601))

    assert (created.state, created.refusal_code) == (ClaimState.CREATED, "")
    assert facts(ledger).reserved_today_isk == 1000


def test_the_operator_can_resolve_a_claim_whose_process_died(open_ledger: Opener) -> None:
    """Nobody has to look at it first."""
    claimed(open_ledger(gone_process()))

    with pytest.raises(IllegalTransition, match="10 minutes"):
        open_ledger().resolve_not_created(KEY, note="n", now=at(599))
    assert open_ledger().resolve_not_created(KEY, note="n", now=at(600)).state is ClaimState.REFUSED


def test_nobody_can_say_that_it_was_not_made_while_its_sender_may_still_send_it(open_ledger: Opener) -> None:
    """A process that was stopped goes on some day: only once it has said how it ended, or has ended, it sends no more."""
    ledger = open_ledger()
    claimed(ledger)
    assert known(ledger, now=at(3600)).state is ClaimState.UNKNOWN
    with pytest.raises(IllegalTransition, match="has not ended"):
        ledger.resolve_not_created(KEY, note="n", now=at(3600))
    ledger.unknown(KEY, 1, reason="no answer", now=at(3601))

    assert ledger.resolve_not_created(KEY, note="n", now=at(3602)).state is ClaimState.REFUSED


@pytest.mark.parametrize("state", [ClaimState.SENDING, ClaimState.CREATED, ClaimState.REFUSED])
def test_only_an_unknown_outcome_can_be_resolved(ledger: Ledger, state: ClaimState) -> None:
    """The operator's word fills a gap and overrules nothing."""
    claimed(ledger)
    if state is not ClaimState.SENDING:
        tell(ledger, state.value, attempt=1)
    before = known(ledger)

    with pytest.raises(IllegalTransition, match="unknown outcome"):
        ledger.resolve_created(KEY, answer(payment_id="blikk-5"), note="n", now=at(1))
    with pytest.raises(IllegalTransition, match="unknown outcome"):
        ledger.resolve_not_created(KEY, note="n", now=at(1))

    assert before == known(ledger)


def test_an_unknown_payment_cannot_be_resolved_to_another_payments_id(ledger: Ledger) -> None:
    """Two payments are never merged into one."""
    make(ledger, KEY, "blikk-1")
    claimed(ledger, an_intent(OTHER_KEY, 500))
    ledger.unknown(OTHER_KEY, 1, reason="r", now=NOON)

    with pytest.raises(IllegalTransition):
        ledger.resolve_created(OTHER_KEY, answer(payment_id="blikk-1"), note="n", now=at(1))

    assert known(ledger, OTHER_KEY).state is ClaimState.UNKNOWN


# Pruning


def test_pruning_forgets_the_person_and_keeps_the_payment(ledger: Ledger) -> None:
    """What is kept is what is needed never to pay again."""
    claimed(ledger, an_intent(purpose="rent", warnings=("holder",)))
    ledger.created(
        KEY, 1, answer(Status.SUCCESS, "https://bank.is/1", payment_id="blikk-1", bank_text="text"), now=at(1)
    )

    assert ledger.prune(before=at(2), now=at(3)) == 1

    pruned = known(ledger)
    assert_fields(pruned, creditor_name="", purpose="", approval_url="", bank_text="")
    assert (pruned.warnings, pruned.approval_url_at) == ((), None)
    assert_fields(pruned, payment_id="blikk-1", amount_isk=1000, status=Status.SUCCESS)
    assert not ledger.claim(an_intent(), allow, window_minutes=0, now=at(4)).fresh
    assert facts(ledger).reserved_today_isk == 1000
    assert events(ledger)[-1] == "pruned"
    assert ledger.prune(before=at(9), now=at(9)) == 0
    assert ledger.verify() == []


def test_pruning_leaves_open_unknown_and_recent_payments_alone(ledger: Ledger) -> None:
    """The operator still needs what has not ended."""
    make(ledger, "order-open", "blikk-1")
    claimed(ledger, an_intent("order-unknown"))
    ledger.unknown("order-unknown", 1, reason="r", now=NOON)
    claimed(ledger, an_intent("order-refused"))
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


# Lists


def test_records_come_oldest_first(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, however many pages they fill."""
    monkeypatch.setattr("blikk_payments.ledger.sql.rows.PAGE_ROWS", 2)
    monkeypatch.setattr("blikk_payments.ledger.sql.ledger.PAGE_ROWS", 2)
    for number in range(5):
        claimed(ledger, an_intent(f"order-{number}"), now=at(number))

    assert [one.idempotency_key for one in ledger.records(now=at(5))] == [f"order-{number}" for number in range(5)]


def test_the_newest_payments_come_first_with_the_room_that_is_taken(ledger: Ledger) -> None:
    """What a list shows: so many, whether there are more, and what today's payments add up to."""
    for number in range(4):
        make(ledger, f"order-1{number:03}", f"blikk-{number}", now=at(number))
    claimed(ledger, an_intent("yesterday", 500), now=NOON - timedelta(days=1))

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
    claimed(ledger, an_intent("order-refused"))
    ledger.refused("order-refused", 1, code="c", bank_text="", now=at(1))
    claimed(ledger, an_intent("order-unknown"))
    ledger.unknown("order-unknown", 1, reason="r", now=at(1))
    claimed(ledger, an_intent("order-sending"))

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


@pytest.mark.parametrize("read_by", ["recent", "records"])
def test_a_payment_whose_process_died_is_listed_among_the_unknown_ones(open_ledger: Opener, read_by: str) -> None:
    """Nobody has to have looked at it before: an operator who asks what is in doubt must see it."""
    claimed(open_ledger(gone_process()))
    ledger = open_ledger()

    def keys(only: Only) -> list[str]:
        found = (
            ledger.recent(only, limit=5, now=at(1)).records if read_by == "recent" else ledger.records(only, now=at(1))
        )
        return [record.idempotency_key for record in found]

    assert keys(Only.UNKNOWN) == [KEY]
    assert keys(Only.OPEN) == []


@pytest.mark.parametrize("newest_first", [False, True])
def test_pages_neither_repeat_nor_leave_out_payments_of_the_same_moment(
    ledger: Ledger, newest_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many payments can have one time; a page may end between them."""
    defaults = Rows.page.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "limit", 3)
    for number in range(10):
        claimed(ledger, an_intent(f"order-1{number:03}"), now=at(number // 4))

    keys = [record.idempotency_key for record in ledger.records(newest_first=newest_first, now=at(9))]

    assert keys == sorted(keys, reverse=newest_first)
    assert len(set(keys)) == 10
