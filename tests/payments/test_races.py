"""Several tasks of several real processes that pay at the same moment over one ledger, through the whole service."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import anyio
import pytest

from blikk_payments.errors import PolicyDenied
from blikk_payments.ledger.opening import SqliteLedger
from blikk_payments.policy import Policy
from tests.payments.doubles import service_over
from tests.payments.ledger_factories import NOON, intent
from tests.payments.racing import AMOUNT_ISK, CountingBank, Entry, Raced, race

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


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_creates_that_share_commits_race_no_worse(tmp_path: Path, anyio_backend: str) -> None:
    """Ours: in one process the calls queue up, and each has to see what those before it in the same commit took."""
    told: Counter[str] = Counter()
    ids: set[str] = set()
    policy = Policy(daily_limit_isk=ROOM * AMOUNT_ISK, creates_per_minute=10_000)
    with SqliteLedger(tmp_path / "ledger.sqlite3") as ledger:
        service = service_over(CountingBank(tmp_path / "bank"), ledger, policy, real_time=True)

        async def create(key: str) -> None:
            try:
                snapshot = await service.create(
                    intent(key, AMOUNT_ISK, account_key=f"IS01592600{key[-2:]:0>4}", creditor_name=key)
                )
            except PolicyDenied as error:
                told[error.code] += 1
                return
            told["replayed" if snapshot.replayed else "sent"] += 1
            ids.add(snapshot.record.payment_id)

        async with service, anyio.create_task_group() as tasks:
            for number in range(CREATES):
                tasks.start_soon(create, f"purchase-{number:02}")
                # The first keys once more, while they are under way.
                tasks.start_soon(create, f"purchase-{number % ROOM:02}")

        assert told == {"sent": ROOM, "replayed": CREATES, "over_limit": CREATES - ROOM}
        assert Counter((tmp_path / "bank").read_text(encoding="utf-8").split()) == Counter(
            f"purchase-{number:02}" for number in range(ROOM)
        )
        assert len(ids) == ROOM
        assert ledger.verify() == []
