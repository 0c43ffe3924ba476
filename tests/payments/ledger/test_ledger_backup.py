"""A backup of a ledger in use: whole, private, verified, and in nobody's place."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from blikk_payments.errors import LedgerUnavailable
from blikk_payments.ledger.opening import SqliteLedger
from tests.payments.factories import KEY, NOON, OTHER_KEY, answer, at
from tests.payments.ledgers import claim


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(0o700)
    return folder / "ledger.sqlite3"


def test_a_backup_of_a_ledger_in_use_holds_what_lay_in_its_log(path: Path, tmp_path: Path) -> None:
    """A copy of the file alone would miss it. The copy is a ledger in itself, and knows what was paid."""
    target = tmp_path / "copy.sqlite3"
    with SqliteLedger(path) as ledger:
        claim(ledger)
        ledger.created(KEY, 1, answer(payment_id="blikk-1"), now=at(1))
        ledger.back_up(target)
        claim(ledger, OTHER_KEY)

    assert target.stat().st_mode & 0o777 == 0o600
    tmp_path.chmod(0o700)
    with SqliteLedger(target) as copy:
        assert copy.verify() == []
        record = copy.by_key(KEY, now=NOON)
        assert record is not None
        assert record.payment_id == "blikk-1"
        assert copy.by_key(OTHER_KEY, now=NOON) is None


def test_a_backup_overwrites_nothing(path: Path, tmp_path: Path) -> None:
    """An older backup, or the ledger itself."""
    target = tmp_path / "copy.sqlite3"
    target.write_text("precious")
    with SqliteLedger(path) as ledger:
        claim(ledger)
        for taken in (target, path):
            with pytest.raises(LedgerUnavailable, match="overwrites nothing"):
                ledger.back_up(taken)
        assert target.read_text() == "precious"
        assert ledger.by_key(KEY, now=NOON) is not None


def test_a_copy_that_does_not_add_up_is_not_kept(path: Path, tmp_path: Path) -> None:
    """A backup that is believed in and is none is worse than none."""
    target = tmp_path / "copy.sqlite3"
    with SqliteLedger(path) as ledger:
        claim(ledger)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE payments SET amount_isk = 1")
    with SqliteLedger(path) as ledger, pytest.raises(LedgerUnavailable, match="does not add up"):
        ledger.back_up(target)

    assert not target.exists()


def test_a_folder_that_is_not_there_is_told(path: Path, tmp_path: Path) -> None:
    """In words, and without the path."""
    with SqliteLedger(path) as ledger:
        claim(ledger)
        with pytest.raises(LedgerUnavailable, match="cannot be written: No such file"):
            ledger.back_up(tmp_path / "nowhere" / "copy.sqlite3")


@pytest.mark.parametrize("is_used_before", [True, False])
def test_ledger_and_copy_are_closed_when_a_backup_is_done(
    is_used_before: bool, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows removes no file that is open, so a copy that does not add up would stay; the command does nothing else."""
    opened: list[sqlite3.Connection] = []
    real = sqlite3.connect

    def connect(*args: Any, **options: Any) -> sqlite3.Connection:
        opened.append(real(*args, **options))
        return opened[-1]

    with SqliteLedger(path) as earlier:
        claim(earlier)
    monkeypatch.setattr(sqlite3, "connect", connect)
    with SqliteLedger(path) as ledger:
        if is_used_before:
            assert ledger.by_key(KEY, now=NOON)
        ledger.back_up(tmp_path / "copy.sqlite3")
    # The ledger, the copy while it is written, and the copy while it is looked at.
    assert len(opened) == 3
    for connection in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")
