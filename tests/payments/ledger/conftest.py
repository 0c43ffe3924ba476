"""One ledger on each engine: what holds for both is tested on both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from blikk_payments.ledger.opening import open_ledger as open_ledger_at
from blikk_payments.ledger.processes import ProcessIdentity
from blikk_payments.ledger.protocol import Ledger
from tests.payments.ledgers import Opener


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
