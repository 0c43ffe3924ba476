"""The ledger that a setting names: a file, or a database."""

from __future__ import annotations

from pathlib import Path

import pytest

from blikk_payments.errors import LedgerUnavailable
from blikk_payments.ledger.engine import Engine
from blikk_payments.ledger.opening import open_ledger, turns_at
from blikk_payments.ledger.pool import POSTGRES_TURNS, SQLITE_TURNS
from blikk_payments.ledger.sql.ledger import SqlLedger
from blikk_payments.ledger.sqlite.engine import SqliteEngine
from tests.payments.factories import KEY, NOON, OTHER_KEY
from tests.payments.ledgers import claim, gone_process


@pytest.fixture(params=["sqlite", "postgres"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    return tmp_path / "ledger.sqlite3" if request.param == "sqlite" else request.getfixturevalue("postgres").database()


def test_whichever_ledger_it_is_it_is_one_blikks(location: Path | str) -> None:
    """A payment in a sandbox must not answer for one in production."""
    with open_ledger(location, environment="loopback") as ledger:
        assert not ledger.exists()
        claim(ledger)
        assert ledger.exists()
    with open_ledger(location, environment="https://api.blikk.tech:443/paymentchannel") as other:
        assert other.exists()
        for use in (lambda: claim(other, OTHER_KEY), lambda: other.by_key(KEY, now=NOON)):
            with pytest.raises(LedgerUnavailable, match="another Blikk"):
                use()
    with open_ledger(location, environment="loopback") as ledger:
        assert not claim(ledger).fresh


def test_whichever_ledger_it_is_a_claim_is_its_processes(location: Path | str) -> None:
    """Of one that ended nobody knows what became."""
    with open_ledger(location, process=gone_process()) as ledger:
        claim(ledger)
    with open_ledger(location) as ledger:
        record = ledger.by_key(KEY, now=NOON)
        assert record is not None
        assert record.state.value == "unknown"


def test_a_file_takes_one_call_at_a_time_and_a_database_as_many_as_it_has_connections(tmp_path: Path) -> None:
    """More would only wait for each other."""
    assert turns_at(tmp_path / "ledger.sqlite3") == SQLITE_TURNS == 1
    assert turns_at("postgresql://localhost/l") == POSTGRES_TURNS > 1


def test_what_speaks_to_the_database_is_made_once_and_not_before_it_is_needed(tmp_path: Path) -> None:
    """A start must not wait for a driver, and a process has one set of connections."""
    made: list[Engine] = []

    def make() -> Engine:
        made.append(SqliteEngine(tmp_path / "ledger.sqlite3"))
        return made[-1]

    tmp_path.chmod(0o700)
    with SqlLedger(make) as ledger:
        ledger.close()
        assert made == []
        claim(ledger)
        ledger.close()
        assert not claim(ledger).fresh
        assert len(made) == 1
