"""The history's hash chain: whatever is edited in the file with other tools, `verify` finds."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from functools import partialmethod
from pathlib import Path

import pytest

from blikk_payments.channel.wire import Status
from blikk_payments.errors import LedgerUnavailable
from blikk_payments.ledger.history import Event, broken_links, canonical_json, digest, genesis, next_entry
from blikk_payments.ledger.opening import SqliteLedger
from blikk_payments.ledger.sql.rows import Rows
from tests.payments.factories import KEY, NOON, OTHER_KEY, an_intent, answer, at
from tests.payments.ledgers import allow


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger in which every kind of event has happened."""
    path = tmp_path / "ledger.sqlite3"
    with SqliteLedger(path) as ledger:
        ledger.claim(an_intent(), allow, window_minutes=0, now=NOON)
        ledger.created(KEY, 1, answer(Status.DRAFT, "https://bank.is/1", payment_id="blikk-1"), now=at(1))
        ledger.seen(answer(Status.PENDING, payment_id="blikk-1"), now=at(2))
        ledger.claim(an_intent(OTHER_KEY, 500), allow, window_minutes=0, now=at(3))
        ledger.refused(OTHER_KEY, 1, code="unauthorized", bank_text="", now=at(4))
        ledger.claim(an_intent(OTHER_KEY, 600), allow, window_minutes=0, now=at(5))
        ledger.unknown(OTHER_KEY, 2, reason="no answer", now=at(6))
        ledger.resolve_not_created(OTHER_KEY, note="not in portal", now=at(607))
        ledger.prune(before=at(700), now=at(701))
        ledger.claim(an_intent("order-0003", 700), allow, window_minutes=0, now=at(702))
    return path


def edit(path: Path, statement: str) -> None:
    """Change the file as somebody with the `sqlite3` tool would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(
            "DROP TRIGGER IF EXISTS history_is_never_changed; DROP TRIGGER IF EXISTS history_is_never_deleted; "
            f"PRAGMA ignore_check_constraints=ON; {statement};"
        )


def verify(path: Path) -> list[str]:
    with SqliteLedger(path) as ledger:
        return ledger.verify()


def test_an_untouched_ledger_has_nothing_to_report(path: Path) -> None:
    """No false alarm after any event, a refusal, a resolution and a prune among them."""
    assert verify(path) == []
    edit(path, "SELECT 1")
    assert verify(path) == []


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE history SET detail = replace(detail, 'blikk-1', 'blikk-2') WHERE sequence = 3", "row 3 was changed"),
        ("UPDATE history SET detail = 'x' WHERE sequence = 3", "row 3 was changed"),
        ("UPDATE history SET detail = x'00' WHERE sequence = 3", "row 3 was changed"),
        ("UPDATE history SET at = replace(at, '2026', '2025') WHERE sequence = 1", "row 1 was changed"),
        ("UPDATE history SET event = 'refused' WHERE sequence = 4", "row 4 was changed"),
        ("UPDATE history SET idempotency_key = 'order-9999' WHERE sequence = 4", "row 4 was changed"),
        ("UPDATE history SET previous = hash WHERE sequence = 4", "row 4 does not follow"),
        ("UPDATE history SET hash = previous WHERE sequence = 4", "row 4 was changed"),
        ("UPDATE history SET sequence = 90 WHERE sequence = 4", "rows 4 to 4 are missing"),
        ("DELETE FROM history WHERE sequence = 1", "rows 1 to 1 are missing"),
        ("DELETE FROM history WHERE sequence IN (4, 5)", "rows 4 to 5 are missing"),
        ("DELETE FROM history WHERE sequence = (SELECT max(sequence) FROM history)", "history ends at row"),
        ("DELETE FROM history", "history ends at row 0"),
        (
            "INSERT INTO history SELECT max(sequence) + 1, 'k', at, event, detail, previous, hash FROM history",
            "does not follow",
        ),
        ("UPDATE payments SET amount_isk = 1 WHERE idempotency_key = 'order-0001'", "order-0001 differs"),
        ("UPDATE payments SET state = 'refused' WHERE idempotency_key = 'order-0003'", "order-0003 differs"),
        ("UPDATE payments SET status = 'ERROR' WHERE idempotency_key = 'order-0001'", "order-0001 differs"),
        ("UPDATE payments SET status = 'NEW' WHERE idempotency_key = 'order-0001'", "order-0001 differs"),
        ("UPDATE payments SET payment_id = 'blikk-7' WHERE payment_id = 'blikk-1'", "order-0001 differs"),
        ("UPDATE payments SET attempt = 1 WHERE idempotency_key = 'order-0002'", "order-0002 differs"),
        ("UPDATE payments SET account_fingerprint = 'x' WHERE idempotency_key = 'order-0001'", "order-0001 differs"),
        ("UPDATE payments SET ssn_fingerprint = 'x' WHERE idempotency_key = 'order-0001'", "order-0001 differs"),
        ("UPDATE payments SET approval_url = 'https://evil.is' WHERE payment_id != ''", "order-0001 differs"),
        (
            "UPDATE payments SET claimed_at = replace(claimed_at, '2026', '2025') WHERE payment_id != ''",
            "order-0001 differs",
        ),
        ("UPDATE payments SET idempotency_key = 'order-0009' WHERE payment_id != ''", "order-0009 has no history"),
        ("UPDATE payments SET holds = 0 WHERE idempotency_key = 'order-0001'", "order-0001 is not counted"),
        ("DELETE FROM payments WHERE idempotency_key = 'order-0002'", "order-0002 is in the history, but"),
        ("UPDATE days SET reserved_isk = 0", "sum kept for 2026-03-02 differs"),
        ("DELETE FROM days", "sum kept for 2026-03-02 differs"),
        ("UPDATE meta SET value = '1:' WHERE name = 'head'", "row 1 was written last"),
        ("UPDATE meta SET value = lower(hex(randomblob(32))) WHERE name = 'fingerprint_key'", "row 1 does not follow"),
    ],
)
def test_every_edit_is_found(path: Path, statement: str, words: str) -> None:
    """Each row carries the hash of the one before it, so that an edit shows."""
    edit(path, statement)

    problems = verify(path)

    assert [problem for problem in problems if words in problem], problems


def test_a_ledger_of_many_pages_is_verified_to_its_last_payment(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One page of a year's payments is not the ledger."""
    monkeypatch.setattr(Rows, "page", partialmethod(Rows.page, limit=1))
    assert verify(path) == []
    edit(path, "UPDATE payments SET amount_isk = 1 WHERE idempotency_key = 'order-0003'")
    assert "Payment order-0003 differs from its history." in verify(path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE meta SET value = 'x' WHERE name = 'head'",
        "UPDATE meta SET value = 'x' WHERE name = 'fingerprint_key'",
        "DELETE FROM meta",
        "UPDATE payments SET warnings = 'x' WHERE idempotency_key = 'order-0001'",
        "UPDATE payments SET claimed_at = 'yesterday' WHERE idempotency_key = 'order-0001'",
        "UPDATE payments SET state = 'paid' WHERE idempotency_key = 'order-0001'",
        "DROP TABLE days",
    ],
)
def test_what_no_longer_makes_sense_makes_the_ledger_unavailable(path: Path, statement: str) -> None:
    """No payment on a guess."""
    edit(path, statement)

    with SqliteLedger(path) as ledger:
        with suppress(LedgerUnavailable):
            assert ledger.verify()
        with pytest.raises(LedgerUnavailable):
            _ = [ledger.claim(an_intent(key), allow, window_minutes=0, now=at(200)) for key in (KEY, "order-0009")]


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM payees", "UPDATE payees SET spelling = look", "UPDATE payees SET account_fingerprint = ''"],
)
def test_a_payee_that_was_made_forgotten_is_found(path: Path, statement: str) -> None:
    """Whoever forges a name could otherwise take away what it is compared with."""
    with SqliteLedger(path) as ledger:
        ledger.created("order-0003", 1, answer(payment_id="blikk-3"), now=at(103))
        assert ledger.verify() == []
    edit(path, statement)

    assert verify(path) == [f"The payee of payment {key} is not remembered as it was." for key in (KEY, "order-0003")]


@pytest.mark.parametrize("statement", ["UPDATE history SET event = 'x'", "DELETE FROM history"])
def test_the_history_is_append_only(path: Path, statement: str) -> None:
    """An append-only history of every transition."""
    with closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)


def test_history_tells_each_step_with_its_time(path: Path) -> None:
    """Every transition, each with its time."""
    with SqliteLedger(path) as ledger:
        entries = ledger.history(OTHER_KEY)

    told = [(entry.event, entry.at, entry.detail["attempt"]) for entry in entries]
    assert told == [
        ("claimed", at(3), "1"),
        ("sending", at(3), "1"),
        ("refused", at(4), "1"),
        ("claimed", at(5), "2"),
        ("sending", at(5), "2"),
        ("unknown", at(6), "2"),
        ("resolved_not_created", at(607), "2"),
        ("pruned", at(701), "2"),
    ]


def test_the_chain_covers_every_field() -> None:
    """SHA-256 over the canonical JSON of all fields and the hash before."""
    start = genesis(b"key")
    first = next_entry((0, start), KEY, "t1", Event.CLAIMED, {"b": "2", "a": "1"})
    second = next_entry((1, first.hash), KEY, "t2", Event.SENDING, {})

    assert first.detail == '{"a":"1","b":"2"}'
    assert first.hash == digest([1, KEY, "t1", "claimed", first.detail, start])
    assert broken_links(iter([first, second]), start, (2, second.hash), {}) == []
    for changed in (replace(second, at="t3"), replace(second, hash=first.hash), replace(second, sequence=3)):
        assert broken_links(iter([first, changed]), start, (2, second.hash), {})


def test_a_last_row_that_was_written_anew_with_a_valid_hash_is_found() -> None:
    """Only the head, kept beside the chain, can tell: the forged row fits the one before it."""
    start = genesis(b"key")
    first = next_entry((0, start), KEY, "t1", Event.CLAIMED, {})
    last = next_entry((1, first.hash), KEY, "t2", Event.SENDING, {})
    forged = next_entry((1, first.hash), KEY, "t2", Event.REFUSED, {})

    assert broken_links(iter([first, last]), start, (2, last.hash), {}) == []
    assert broken_links(iter([first, forged]), start, (2, last.hash), {})


def test_canonical_json_is_one_text_for_one_value() -> None:
    """A hash must not depend on the order or the spelling of its input."""
    assert canonical_json({"b": "ð", "a": ["x"]}) == '{"a":["x"],"b":"\\u00f0"}'
    fields: list[object] = [
        "",
        '"\\/\x00\x1f\x7f',
        "ð\u2028😀",
        "\ud800",
        Event.CLAIMED,
        True,
        -1,
        10**30,
        b"\x00",
        ["a", 1],
    ]
    assert digest(fields) == hashlib.sha256(canonical_json(fields).encode()).hexdigest()
