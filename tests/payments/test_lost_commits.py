"""A commit that was made and whose answer was lost: the engine runs the work again, and it is one payment all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.payments.lost_commits import Lost, lost_commits


@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def test_a_payment_whose_commits_are_made_and_not_heard_of_is_one_payment(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A retry of COMMIT claims once, and its claim knows its own token: it is sent, and once."""
    database = request.getfixturevalue("postgres").database() if engine == "postgres" else ""

    assert lost_commits(database or str(tmp_path / "ledger.sqlite3"), tmp_path) == Lost()
