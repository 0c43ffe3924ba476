"""The ledger's contract, on every engine: what a claim is decided on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from blikk_payments.channel.wire import FAILED, Status
from blikk_payments.ledger.protocol import Ledger
from blikk_payments.models import ClaimState
from tests.payments.factories import KEY, NAME, NOON, OTHER_KEY, an_intent, answer, at
from tests.payments.ledgers import (
    Opener,
    Watching,
    allow,
    claimed,
    facts,
    gone_process,
    make,
)


def test_open_paid_and_unknown_payments_take_room_and_failed_ones_give_it_back(ledger: Ledger) -> None:
    """Open, paid and unknown payments count; failed and refused ones give their room back."""
    for number, status in enumerate(Status, 1):
        make(ledger, f"order-{number}", f"blikk-{number}", amount_isk=number)
        ledger.seen(answer(status, payment_id=f"blikk-{number}"), now=at(1))
    claimed(ledger, an_intent("order-sending", 1000))
    claimed(ledger, an_intent("order-unknown", 2000))
    ledger.unknown("order-unknown", 1, reason="r", now=NOON)
    claimed(ledger, an_intent("order-refused", 4000))
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
    claimed(ledger, an_intent("order-6"), now=at(59.9))
    ledger.refused("order-6", 1, code="c", bank_text="", now=at(59.9))

    counts = {
        second: facts(ledger, now=at(second)).claims_last_minute for second in (59.99, 60, 60.5, 60.6, 61, 90, 119.9)
    }

    assert counts == {59.99: 5, 60: 4, 60.5: 3, 60.6: 3, 61: 2, 90: 1, 119.9: 0}


def test_equal_payments_are_the_same_account_and_amount_under_another_key(ledger: Ledger) -> None:
    """Same account, same amount; the kennitala and the name do not count."""
    equal = claimed(ledger, an_intent("order-1", ssn="0101302980", name="Other"))
    claimed(ledger, an_intent("order-2", 999))
    claimed(ledger, an_intent("order-3", account_key="IS0159260076546"))

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
    claimed(ledger)
    unknown = ledger.unknown(KEY, 1, reason="r", now=at(1))

    assert facts(ledger, window_minutes=window_minutes, now=NOON + timedelta(days=900)).possible_duplicates == (
        unknown,
    )


def test_a_failed_or_refused_equal_payment_holds_nothing_up(ledger: Ledger) -> None:
    """One that failed or was refused holds nothing up."""
    for number, status in enumerate(sorted(FAILED), 1):
        make(ledger, f"order-{number}", f"blikk-{number}")
        ledger.seen(answer(status, payment_id=f"blikk-{number}"), now=at(1))
    claimed(ledger)
    ledger.refused(KEY, 1, code="c", bank_text="", now=NOON)

    assert facts(ledger).possible_duplicates == ()


def test_a_paid_equal_payment_holds_up(ledger: Ledger) -> None:
    """Held up while the earlier one is open or paid."""
    make(ledger, KEY, "blikk-1")
    paid = ledger.seen(answer(Status.SUCCESS, payment_id="blikk-1"), now=at(1))

    assert facts(ledger).possible_duplicates == (paid,)


def test_equal_payments_come_newest_first_and_unknown_ones_are_never_crowded_out(ledger: Ledger) -> None:
    """The list is bounded, and what nobody can confirm away is always in it."""
    claimed(ledger, an_intent("order-old"))
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


@pytest.mark.parametrize("again", ["Kaffihusið ehf.", NAME])
def test_every_spelling_of_a_payee_is_remembered(ledger: Ledger, again: str) -> None:
    """Whoever was paid before under that spelling is nobody new, however else they were spelled."""
    make(ledger, KEY, "blikk-1")
    claimed(ledger, an_intent(OTHER_KEY, 2000, name=again))
    ledger.created(OTHER_KEY, 1, answer(payment_id="blikk-2"), now=NOON)

    assert ledger.verify() == []


def test_payments_that_are_dated_ahead_are_none_of_the_last_minute(ledger: Ledger) -> None:
    """Ten payments made by a clock that was an hour ahead: put right, it must not stop payments for an hour."""
    for number in range(10):
        claimed(ledger, an_intent(f"order-1{number:03}"), now=at(3600))

    assert facts(ledger, now=at(0)).claims_last_minute == 0
    assert facts(ledger, now=at(3599)).claims_last_minute == 0
    assert facts(ledger, now=at(3600)).claims_last_minute == 10
    assert facts(ledger, now=at(3659)).claims_last_minute == 10
    assert facts(ledger, now=at(3660)).claims_last_minute == 0


def test_of_other_amounts_in_doubt_no_more_than_five_are_told(open_ledger: Opener) -> None:
    """One is enough to hold a payment up, and a list of hundreds helps nobody; those of dead processes count too."""
    ledger, dead = open_ledger(), open_ledger(gone_process())
    for number in range(7):
        key = f"order-1{number:03}"
        claimed(ledger, an_intent(key, 2_000 + number), now=at(number))
        ledger.unknown(key, 1, reason="r", now=at(number))
    for number in range(3):
        claimed(dead, an_intent(f"order-2{number:03}", 3_000 + number), now=at(7 + number))

    told = [record.idempotency_key for record in facts(ledger, now=at(10)).unknown_to_account]

    assert told == [f"order-1{number:03}" for number in (6, 5, 4, 3, 2)]
