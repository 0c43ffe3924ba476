"""Several tasks of several real processes that pay at the same moment over one ledger, through the whole service."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from blikk_payments.sqlite_ledger import SqliteLedger
from tests.payments.ledger_factories import NOON, intent
from tests.payments.racing import AMOUNT_ISK, Entry, Raced, race

PROCESSES, TASKS, CREATES, ROOM = 4, 8, 40, 10


def one_key(folder: Path, mutant: str = "") -> Raced:
    """Eight tasks in each of four processes create the same payment with the same key."""
    return race([_entry(folder, ["purchase-1"] * TASKS, 10_000, mutant) for _ in range(PROCESSES)])


def last_room(folder: Path, mutant: str = "") -> Raced:
    """Forty different payments, where the day has room for ten."""
    keys = [f"purchase-{number:02}" for number in range(CREATES)]
    return race([_entry(folder, keys[start::PROCESSES], ROOM * AMOUNT_ISK, mutant) for start in range(PROCESSES)])


def _entry(folder: Path, keys: list[str], daily_limit_isk: int, mutant: str) -> Entry:
    return Entry(str(folder / "state" / "ledger.sqlite3"), str(folder / "bank"), keys, daily_limit_isk, mutant)


def test_tasks_and_processes_with_one_key_make_one_post(tmp_path: Path) -> None:
    """Issue: eight tasks and four processes on one ledger with one key: one POST, and one payment for everybody."""
    raced = one_key(tmp_path)

    assert raced.received == Counter({"purchase-1": 1})
    assert len(raced.told) == PROCESSES * TASKS
    assert {(one["state"], one["replayed"]) for one in raced.told} == {("created", False), ("created", True)}
    assert len({one["id"] for one in raced.told}) == 1
    assert [one["replayed"] for one in raced.told].count(False) == 1


def test_creates_that_race_for_the_last_room_never_exceed_the_limit(tmp_path: Path) -> None:
    """Issue: forty creates racing for the last room under the daily limit: never over it. Nor is any room left unused."""
    raced = last_room(tmp_path)

    assert sum(raced.received.values()) == ROOM
    assert set(raced.received.values()) == {1}
    assert Counter(one.get("raised", "sent") for one in raced.told) == {"sent": ROOM, "over_limit": CREATES - ROOM}
    with SqliteLedger(tmp_path / "state" / "ledger.sqlite3") as ledger:
        facts = ledger.facts(intent("purchase-new"), window_minutes=0, now=NOON)
        assert facts.reserved_today_isk == ROOM * AMOUNT_ISK
        assert ledger.verify() == []
