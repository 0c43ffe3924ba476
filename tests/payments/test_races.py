"""Several tasks of several real processes that pay at the same moment over one ledger, through the whole service."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from blikk_payments.ledger.opening import open_ledger
from tests.payments.factories import NOON, an_intent
from tests.payments.racing import (
    AMOUNT_ISK,
    CREATES,
    PROCESSES,
    ROOM,
    TASKS,
    last_room,
    one_key,
    told,
)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the ledger will be, once somebody claims."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres").database()
    return str(tmp_path / "state" / "ledger.sqlite3")


ONE_SENT = {"sent": 1, "replayed": PROCESSES * TASKS - 1}
ROOM_TAKEN = {"sent": ROOM, "over_limit": CREATES - ROOM}
"""What the calls of the two races are told."""


def test_tasks_and_processes_with_one_key_make_one_post(place: str, tmp_path: Path) -> None:
    """Eight tasks and four processes on one ledger with one key: one POST, and one payment for everybody."""
    raced = one_key(place, tmp_path)

    assert raced.received == Counter({"purchase-1": 1})
    assert told(raced) == ONE_SENT
    assert {one["state"] for one in raced.told} == {"created"}
    assert len({one["id"] for one in raced.told}) == 1


def test_creates_that_race_for_the_last_room_never_exceed_the_limit(place: str, tmp_path: Path) -> None:
    """Forty creates racing for the last room under the daily limit: never over it. Nor is any room left unused."""
    raced = last_room(place, tmp_path)

    assert sum(raced.received.values()) == ROOM
    assert set(raced.received.values()) == {1}
    assert told(raced) == ROOM_TAKEN
    with open_ledger(place if place.startswith("postgresql:") else Path(place)) as ledger:
        facts = ledger.facts(an_intent("purchase-new"), window_minutes=0, now=NOON)
        assert facts.reserved_today_isk == ROOM * AMOUNT_ISK
        assert ledger.verify() == []
