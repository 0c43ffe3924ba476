"""The ledger's contract, on every engine: who may send a payment, and what a claim leaves when its process is gone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from blikk_payments.errors import (
    IdempotencyConflict,
    LedgerUnavailable,
    PolicyDenied,
)
from blikk_payments.ledger.processes import ProcessIdentity
from blikk_payments.ledger.protocol import (
    SENDING_LIMIT_SECONDS,
    Ledger,
)
from blikk_payments.ledger.sql.ledger import SqlLedger
from blikk_payments.ledger.sql.rows import Rows
from blikk_payments.models import ClaimState, Facts, PaymentIntent, PaymentRecord
from tests.payments.factories import ACCOUNT, KENNITALA, KEY, NAME, NOON, OTHER_KEY, an_intent, answer, at
from tests.payments.ledgers import (
    Opener,
    Watching,
    allow,
    claimed,
    deny,
    events,
    facts,
    gone_process,
    known,
)

LOOKS: list[Callable[[Ledger], PaymentRecord | None]] = [
    lambda ledger: ledger.by_key(KEY, now=at(1)),
    lambda ledger: ledger.find_key(an_intent(), now=at(1)),
    lambda ledger: next(iter(ledger.records(now=at(1)))),
]


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
    claimed(open_ledger())

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
    first = claimed(ledger)

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
    claimed(ledger)

    with pytest.raises(IdempotencyConflict):
        ledger.claim(other, allow, window_minutes=1440, now=NOON)
    with pytest.raises(IdempotencyConflict):
        ledger.find_key(other, now=NOON)


def test_a_refused_key_may_be_sent_again_with_corrected_arguments(ledger: Ledger) -> None:
    """After a definite refusal the key may be sent again, with the same or corrected arguments."""
    claimed(ledger)
    ledger.refused(KEY, 1, code="rejected_by_blikk", bank_text="bad name", now=at(1))

    corrected = an_intent(amount_isk=900, account_key="IS0159260076546", name="Jóna")
    again = ledger.claim(corrected, allow, window_minutes=1440, now=at(2))

    assert again.fresh
    assert again.record.attempt == 2
    assert (again.record.amount_isk, again.record.creditor_name) == (900, "Jóna")
    assert again.record.refusal_code == ""
    assert again.record.bank_text == ""
    assert again.record.claimed_at == at(2)
    assert facts(ledger, now=at(2)).reserved_today_isk == 900
    with pytest.raises(IdempotencyConflict):
        ledger.claim(an_intent(), allow, window_minutes=1440, now=at(3))


def test_a_refused_key_has_to_pass_the_limits_again(ledger: Ledger) -> None:
    """A refusal gave the room back, so it has to be taken again."""
    claimed(ledger)
    refused = ledger.refused(KEY, 1, code="unauthorized", bank_text="", now=at(1))

    with pytest.raises(PolicyDenied):
        ledger.claim(an_intent(), deny, window_minutes=1440, now=at(2))

    assert refused == known(ledger)


def test_an_unknown_key_is_never_sent_again(ledger: Ledger) -> None:
    """After an unknown outcome the key is only answered, however old it is."""
    claimed(ledger)
    ledger.unknown(KEY, 1, reason="no answer", now=at(1))

    again = ledger.claim(an_intent(), allow, window_minutes=0, now=NOON + timedelta(days=400))

    assert not again.fresh
    assert again.record.state is ClaimState.UNKNOWN


def test_find_key_tells_what_a_claim_would_be_answered_with(ledger: Ledger) -> None:
    """A person is not asked about a payment that would only be answered again."""
    assert ledger.find_key(an_intent(), now=NOON) is None
    first = claimed(ledger)
    assert first == ledger.find_key(an_intent(), now=NOON)
    ledger.refused(KEY, 1, code="unauthorized", bank_text="", now=NOON)
    assert ledger.find_key(an_intent(amount_isk=2), now=NOON) is None


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
    claimed(ledger)
    with pytest.raises(LedgerUnavailable, match=unfit):
        ledger.created(KEY, 1, answer(payment_id="blikk-\ud800"), now=NOON)

    assert known(ledger).state is ClaimState.SENDING
    assert ledger.verify() == []


def test_neither_account_nor_kennitala_is_in_record_or_history(ledger: Ledger) -> None:
    """The last ten digits of an IBAN are a kennitala; neither is kept."""
    claimed(ledger, an_intent(confirmed_duplicate_of="blikk-0"))

    shown = f"{known(ledger)!r} {ledger.history(KEY)!r}"

    assert KENNITALA not in shown
    assert ACCOUNT[2:] not in shown
    assert NAME not in repr(ledger.history(KEY))
    assert ledger.history(KEY)[0].detail["confirmed_duplicate_of"] == "blikk-0"


# A sender that is gone


def test_a_claim_whose_process_died_is_unknown_at_once(open_ledger: Opener) -> None:
    """A claim whose process died while sending is unknown as soon as that process is known to be gone."""
    claimed(open_ledger(gone_process()))
    ledger = open_ledger()

    assert ledger.claim(an_intent(), allow, window_minutes=0, now=at(1)).record.state is ClaimState.UNKNOWN
    assert events(ledger) == ["claimed", "sending", "unknown"]
    assert ledger.history(KEY)[-1].detail["reason"] == "sender_gone"


@pytest.mark.parametrize("seconds", [SENDING_LIMIT_SECONDS, 3600])
def test_a_claim_that_is_sending_too_long_is_unknown(ledger: Ledger, seconds: int) -> None:
    """At the latest after 30 s, whether its process lives or not."""
    claimed(ledger)

    assert known(ledger, now=at(seconds - 0.001 if seconds == SENDING_LIMIT_SECONDS else 0)).state is ClaimState.SENDING
    assert known(ledger, now=at(seconds)).state is ClaimState.UNKNOWN
    assert known(ledger, now=at(1)).state is ClaimState.UNKNOWN


@pytest.mark.parametrize("look", LOOKS)
def test_whoever_looks_at_a_dead_claim_sees_that_it_is_unknown(
    open_ledger: Opener, look: Callable[[Ledger], PaymentRecord | None]
) -> None:
    """An outcome nobody will report is told as what it is, wherever it is asked for."""
    claimed(open_ledger(gone_process()))
    ledger = open_ledger()

    record = look(ledger)

    assert record is not None
    assert record.state is ClaimState.UNKNOWN
    assert events(ledger)[-1] == "unknown"


def test_facts_tell_of_a_dead_equal_claim_and_write_nothing(open_ledger: Opener) -> None:
    """Facts are read only, and tell what a claim would find."""
    claimed(open_ledger(gone_process()))
    ledger = open_ledger()

    assert [one.state for one in facts(ledger, window_minutes=0).possible_duplicates] == [ClaimState.UNKNOWN]
    assert events(ledger) == ["claimed", "sending"]


def test_a_claim_marks_a_dead_equal_claim_unknown(open_ledger: Opener) -> None:
    """An equal payment whose outcome is unknown holds up without regard to the window."""
    claimed(open_ledger(gone_process()))
    ledger, decide = open_ledger(), Watching()

    ledger.claim(an_intent(OTHER_KEY), decide, window_minutes=1440, now=at(1))

    assert [one.state for one in decide.facts[0].possible_duplicates] == [ClaimState.UNKNOWN]
    assert events(ledger) == ["claimed", "sending", "unknown"]


# Clocks


@pytest.mark.parametrize("ahead_seconds", [-3600, 3600])
def test_a_sending_of_a_host_with_another_clock_is_unknown_after_thirty_seconds_of_ours(
    open_ledger: Opener, ahead_seconds: int
) -> None:
    """Its date may be an hour ahead of our clock: then we count from when we first saw it."""
    elsewhere = ProcessIdentity(host="other-host", boot="b", namespace="n", pid=7, started="1")
    claimed(open_ledger(process=elsewhere), now=at(ahead_seconds))
    ours = open_ledger()

    known(ours, now=at(0))
    if ahead_seconds > 0:
        assert known(ours, now=at(29)).state is ClaimState.SENDING
    assert known(ours, now=at(30)).state is ClaimState.UNKNOWN
    assert events(ours)[-1] == "unknown"


def test_each_attempt_of_a_host_with_another_clock_has_thirty_seconds_of_its_own(open_ledger: Opener) -> None:
    """A key that was refused and is sent again must not be given up because it was first seen a while ago."""
    elsewhere = ProcessIdentity(host="other-host", boot="b", namespace="n", pid=7, started="1")
    theirs, ours = open_ledger(process=elsewhere), open_ledger()
    claimed(theirs, now=at(3600))
    known(ours, now=at(0))
    theirs.refused(KEY, 1, code="unauthorized", bank_text="", now=at(3601))
    assert claimed(theirs, now=at(3700)).attempt == 2

    assert known(ours, now=at(100)).state is ClaimState.SENDING
    assert known(ours, now=at(129)).state is ClaimState.SENDING
    assert known(ours, now=at(130)).state is ClaimState.UNKNOWN


def test_our_own_clock_put_back_starts_the_thirty_seconds_again(open_ledger: Opener) -> None:
    """Otherwise the first look would lie ahead, and the wait would last until then."""
    elsewhere = ProcessIdentity(host="other-host", boot="b", namespace="n", pid=7, started="1")
    claimed(open_ledger(process=elsewhere), now=at(0))
    ours = open_ledger()

    assert known(ours, now=at(-3600)).state is ClaimState.SENDING
    assert known(ours, now=at(-7200)).state is ClaimState.SENDING
    assert known(ours, now=at(-7200 + 30)).state is ClaimState.UNKNOWN
