"""A whole ledger, copied from one engine into another: all of it, or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from blikk_payments.errors import LedgerUnavailable
from blikk_payments.ledger.opening import SqliteLedger
from blikk_payments.ledger.sql import copying
from blikk_payments.ledger.sqlite.engine import SqliteEngine
from tests.payments.factories import KEY, NOON, an_intent, answer, at
from tests.payments.ledgers import allow, claim, empty_ledger

ENVIRONMENT = "loopback"
ROWS_AT_ONCE = 3


@pytest.fixture(autouse=True)
def few_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a small ledger takes several statements."""
    monkeypatch.setattr(copying, "ROWS_A_STATEMENT", ROWS_AT_ONCE)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A ledger of one Blikk, with more of everything than one statement copies."""
    path = tmp_path / "source" / "ledger.sqlite3"
    with SqliteLedger(path, environment=ENVIRONMENT) as ledger:
        for number in range(2 * ROWS_AT_ONCE + 1):
            key, day = f"order-1{number:03}", at(86_400 * number)
            ledger.claim(an_intent(key, name=f"Name {number}"), allow, window_minutes=0, now=day)
            ledger.created(key, 1, answer(payment_id=f"blikk-{number}"), now=day)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "target").mkdir(0o700)
    return empty_ledger(tmp_path / "target")


def copy(source: Path, target: Path) -> int:
    """The number of payments that were copied."""
    original, other = SqliteEngine(source), SqliteEngine(target)
    try:
        return copying.copy_ledger(original, other)
    finally:
        original.close()
        other.close()


def content(path: Path) -> list[str]:
    """Every row of every table."""
    with closing(sqlite3.connect(path)) as connection:
        return sorted(line for line in connection.iterdump() if line.startswith("INSERT"))


def test_a_copy_has_every_row_however_many_there_are(source: Path, target: Path) -> None:
    """Payments, days, payees, history, the fingerprints' key and whose it is; then it goes on as the original would."""
    assert copy(source, target) == 2 * ROWS_AT_ONCE + 1

    assert content(target) == content(source)
    with SqliteLedger(target, environment="another") as other, pytest.raises(LedgerUnavailable, match="another Blikk"):
        other.by_key(KEY, now=NOON)
    with SqliteLedger(target, environment=ENVIRONMENT) as ledger:
        assert ledger.verify() == []
        assert ledger.claim(an_intent(), allow, window_minutes=0, now=NOON).fresh
        assert ledger.verify() == []


def _with_a_payment(path: Path) -> None:
    with SqliteLedger(path) as ledger:
        claim(ledger)


def _with_a_row(statement: str) -> Callable[[Path], None]:
    def prepare(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(statement)

    return prepare


@pytest.mark.parametrize(
    "prepare",
    [
        _with_a_payment,
        _with_a_row("INSERT INTO meta (name, value) VALUES ('blikk', 'loopback')"),
        _with_a_row("INSERT INTO payees VALUES ('look', 'account', 'spelling')"),
        _with_a_row("INSERT INTO days VALUES ('2026-03-02', 1)"),
        _with_a_row("INSERT INTO history VALUES (1, 'order-0001', '', '', '{}', '', '')"),
    ],
    ids=["a payment", "a Blikk", "a payee", "a day", "a history"],
)
def test_a_ledger_that_holds_anything_is_copied_over_by_nothing(
    source: Path, target: Path, prepare: Callable[[Path], None]
) -> None:
    """What it knows would be mixed with what it is told."""
    prepare(target)
    before = content(target)

    with pytest.raises(LedgerUnavailable, match="holds something already"):
        copy(source, target)

    assert content(target) == before


def test_a_copy_that_would_not_add_up_is_not_made(source: Path, target: Path) -> None:
    """A damaged original stays the only one."""
    _with_a_row("UPDATE payments SET amount_isk = 1")(source)
    before = content(target)

    with pytest.raises(LedgerUnavailable, match="would not add up, so nothing was copied"):
        copy(source, target)

    assert content(target) == before
