"""The ledger's contract, on every engine: what Blikk says of a payment later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest

from blikk_payments.channel.wire import TERMINAL, Status
from blikk_payments.errors import (
    OutcomeUnknown,
)
from blikk_payments.ledger.protocol import (
    Ledger,
)
from blikk_payments.ledger.sql.ledger import SqlLedger
from blikk_payments.ledger.sql.rows import Rows
from blikk_payments.models import ClaimState
from tests.payments.factories import KEY, NOON, answer, at
from tests.payments.ledgers import (
    Opener,
    claimed,
    events,
    known,
    make,
)


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
    claimed(ledger)
    assert ledger.by_payment_id("", now=NOON) is None
    assert ledger.seen(answer(payment_id=""), now=NOON) is None
    # A stray answer that left no id behind is nobody's either.
    with pytest.raises(OutcomeUnknown):
        ledger.created(KEY, 2, answer(payment_id="blikk-8"), now=NOON)
    assert ledger.by_payment_id("", now=NOON) is None


def test_another_amount_of_blikks_is_in_the_history_as_it_said_it(ledger: Ledger) -> None:
    """Whoever looks into it later has to see what was said, and when."""
    make(ledger, KEY, "blikk-1")
    ledger.seen(replace(answer(payment_id="blikk-1"), amount_isk=2_000, currency="EUR"), now=at(1))
    assert ledger.history(KEY)[-1].detail["blikk_says"] == "2000 EUR"
    ledger.seen(answer(Status.PENDING, payment_id="blikk-1"), now=at(2))
    assert "blikk_says" not in ledger.history(KEY)[-1].detail


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
    claimed(ledger)
    ledger.created(KEY, 1, answer(Status.DRAFT, "https://bank.is/1", payment_id="blikk-1"), now=NOON)

    seen = ledger.seen(answer(status, url, payment_id="blikk-1"), now=at(9))

    assert seen is not None
    assert (seen.approval_url, seen.approval_url_at) == (expected, expected_at)
    assert seen == known(ledger)


def before_it_writes(ledger: Ledger, meanwhile: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let something happen between the ledger's look and its write."""
    assert isinstance(ledger, SqlLedger)
    engine = ledger._engine  # pyright: ignore[reportPrivateUsage] - between its two transactions is where it happens
    write = engine.write

    def other_first(work: Callable[[Rows], object]) -> object:
        meanwhile()
        return write(work)

    monkeypatch.setattr(engine, "write", other_first)


def test_another_processs_terminal_status_is_not_overwritten_by_a_stale_look(
    open_ledger: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two servers poll one payment: between our look and our write the other one learns that it was paid."""
    ours, other = open_ledger(), open_ledger()
    make(ours, KEY, "blikk-1")

    def meanwhile() -> None:
        other.seen(answer(Status.SUCCESS, payment_id="blikk-1"), now=at(2))

    before_it_writes(ours, meanwhile, monkeypatch)
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

    def meanwhile() -> None:
        with pytest.raises(OutcomeUnknown):
            other.created(KEY, 1, answer(payment_id="blikk-2"), now=at(2))

    before_it_writes(ours, meanwhile, monkeypatch)
    told = ours.seen(answer(Status.SUCCESS, payment_id="blikk-1"), now=at(3))

    assert told == known(other)
    assert known(other).state is ClaimState.UNKNOWN
