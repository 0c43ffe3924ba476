"""A ledger that an earlier blikk-mcp wrote: `version_4.sql` is one, as it lay on the disk, and is never written anew.

Names, digests and fingerprints in it are promises: one that changes makes every paid key a new one, or an untouched
ledger a damaged one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from blikk_payments.channel.wire import Status
from blikk_payments.errors import IdempotencyConflict, LedgerUnavailable
from blikk_payments.ledger.opening import SqliteLedger
from blikk_payments.ledger.protocol import Only
from blikk_payments.models import STRAY_PAYMENT, ClaimState, Facts, PaymentRecord
from tests.payments.factories import (
    KEY,
    LINK,
    NAME,
    NOON,
    OTHER_ACCOUNT,
    OTHER_KENNITALA,
    an_intent,
    at,
    lookalike,
)
from tests.payments.ledgers import allow, claimed

WRITTEN = Path(__file__).parent / "version_4.sql"
LATER = at(900)
PURPOSE = "Kaffi"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file, as its owner has it."""
    tmp_path.chmod(0o700)
    path = tmp_path / "ledger.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(WRITTEN.read_text(encoding="utf-8"))
    path.chmod(0o600)
    return path


@pytest.fixture
def ledger(path: Path) -> Iterator[SqliteLedger]:
    with SqliteLedger(path, environment="loopback") as ledger:
        yield ledger


def test_it_adds_up_as_it_is_and_goes_on(ledger: SqliteLedger) -> None:
    """Hashes and digests are computed as they were."""
    assert ledger.verify() == []
    claimed(ledger, an_intent("order-0009", 9_000, account_key=OTHER_ACCOUNT), now=LATER)
    assert ledger.verify() == []


def test_each_payment_is_what_it_was(ledger: SqliteLedger) -> None:
    """States, words and times."""
    assert ledger.by_key(KEY, now=LATER) == PaymentRecord(
        idempotency_key=KEY,
        state=ClaimState.CREATED,
        amount_isk=1_000,
        creditor_name=NAME,
        masked_account="0159-26-•••654",
        claimed_at=NOON,
        updated_at=at(60),
        purpose=PURPOSE,
        warnings=("kennitala",),
        payment_id="pay-1",
        status=Status.SUCCESS,
        approval_url=LINK,
        approval_url_at=at(1),
        bank_text="Greitt",
    )
    told = {record.idempotency_key: (record.state.value, record.refusal_code) for record in ledger.records(now=LATER)}
    assert told == {
        "order-0001": ("created", ""),
        "order-0002": ("refused", "unauthorized"),
        "order-0003": ("unknown", ""),
        "order-0004": ("unknown", ""),
        "order-0005": ("unknown", ""),
        "order-0006": ("refused", "resolved_not_created"),
        "order-0007": ("created", ""),
        "order-0008": ("created", ""),
    }
    assert ledger.recent(Only.PAID, limit=5, now=LATER).reserved_today_isk == 20_000


def test_a_key_that_was_paid_is_known_and_another_payment_under_it_a_conflict(ledger: SqliteLedger) -> None:
    """Account and kennitala are compared by fingerprints of before."""
    assert not ledger.claim(an_intent(purpose="other"), allow, window_minutes=0, now=LATER).fresh
    for other in (
        an_intent(amount_isk=1_001),
        an_intent(account_key=OTHER_ACCOUNT),
        an_intent(ssn=OTHER_KENNITALA),
    ):
        with pytest.raises(IdempotencyConflict):
            ledger.find_key(other, now=LATER)
    again = claimed(ledger, an_intent("order-0006", 6_000), now=LATER)
    assert again.attempt == 2


def test_equal_and_look_alike_payments_are_noticed(ledger: SqliteLedger) -> None:
    """So are the payees that were paid before."""

    def facts(key: str, amount_isk: int) -> Facts:
        return ledger.facts(an_intent(key, amount_isk), window_minutes=1440, now=LATER)

    assert [one.idempotency_key for one in facts("order-0009", 1_000).possible_duplicates] == [KEY]
    assert [one.idempotency_key for one in facts("order-0009", 3_000).possible_duplicates] == ["order-0003"]
    in_doubt = {one.idempotency_key for one in facts("order-0009", 9_000).unknown_to_account}
    assert in_doubt == {"order-0003", "order-0004", "order-0005"}
    assert ledger.facts(lookalike("order-0009"), window_minutes=0, now=LATER).lookalike


def test_a_stray_payment_still_leads_to_its_key(ledger: SqliteLedger) -> None:
    """Its ids are in the history alone."""
    assert ledger.stray_keys() == ["order-0004"]
    for payment_id in ("pay-4", "stray-4"):
        record = ledger.by_payment_id(payment_id, now=LATER)
        assert record is not None
        assert (record.idempotency_key, record.warnings) == ("order-0004", (STRAY_PAYMENT,))


def test_the_history_is_told_in_the_words_of_then(ledger: SqliteLedger) -> None:
    """Whoever reads an export looks for them."""
    told = {key: [entry.event for entry in ledger.history(key)] for key in (KEY, "order-0004", "order-0006")}
    assert told == {
        KEY: ["claimed", "sending", "created", "seen"],
        "order-0004": ["claimed", "sending", "created", "unknown", "stray_answer"],
        "order-0006": ["claimed", "sending", "unknown", "resolved_not_created"],
    }
    assert [entry.event for entry in ledger.history("order-0008")][-1] == "pruned"
    assert ledger.history("order-0007")[-1].detail["note"] == "in the portal"
    assert ledger.history("order-0003")[0].detail["confirmed_duplicate_of"] == "pay-1"


def test_it_belongs_to_the_same_blikk(path: Path) -> None:
    """Whose it is is written in it."""
    production = SqliteLedger(path, environment="https://api.blikk.tech:443/paymentchannel")
    with production as other, pytest.raises(LedgerUnavailable, match="another Blikk"):
        other.by_key(KEY, now=LATER)
