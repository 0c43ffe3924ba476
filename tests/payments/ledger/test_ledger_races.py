"""Several processes with several threads each, at one ledger at the same moment."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.managers import SyncManager
from pathlib import Path

import pytest

from blikk_payments.ledger.opening import open_ledger
from tests.payments.factories import NOON, an_intent
from tests.payments.ledgers import race

PROCESSES, THREADS = 4, 10
EVERYBODY = PROCESSES * THREADS


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where the ledger will be, once somebody claims."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres").database()
    return tmp_path / "state" / "ledger.sqlite3"


def run_race(place: Path | str, keys: list[str], limit_isk: int) -> Counter[bool | str]:
    """Each process claims its share of the keys; how often which result came."""
    context = multiprocessing.get_context("spawn")
    with SyncManager(ctx=context) as manager, ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        barrier = manager.Barrier(EVERYBODY)
        shares = [keys[start::PROCESSES] for start in range(PROCESSES)]
        running = [pool.submit(race, place, THREADS, barrier, share, limit_isk) for share in shares]
        return Counter(result for future in running for result in future.result())


def test_one_key_is_claimed_once_however_many_try(place: Path | str) -> None:
    """Tasks and processes on one ledger with one key: one POST. The ledger is created in the same race."""
    results = run_race(place, ["order-0001"] * EVERYBODY, limit_isk=10_000)

    assert results == {True: 1, False: EVERYBODY - 1}
    with open_ledger(place) as ledger:
        assert [entry.event for entry in ledger.history("order-0001")][:2] == ["claimed", "sending"]
        assert ledger.verify() == []


def test_payments_that_race_for_the_last_room_never_exceed_the_limit(place: Path | str) -> None:
    """Forty creates racing for the last room under the daily limit: never over it."""
    results = run_race(place, [f"order-{number:04}" for number in range(EVERYBODY)], limit_isk=1000)

    assert results == {True: 10, "over_limit": EVERYBODY - 10}
    with open_ledger(place) as ledger:
        assert ledger.facts(an_intent("order-new"), window_minutes=0, now=NOON).reserved_today_isk == 1000
        assert ledger.verify() == []
