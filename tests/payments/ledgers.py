"""Support: ledgers to arrange with, their faults, and other processes."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from blikk_payments.errors import PaymentsError, PolicyDenied
from blikk_payments.ledger.opening import SqliteLedger, open_ledger
from blikk_payments.ledger.processes import ProcessIdentity
from blikk_payments.ledger.protocol import Claim, Ledger
from blikk_payments.models import Facts
from tests.payments.factories import KEY, NOON, an_intent

if TYPE_CHECKING:
    # The processes of races and crashes need it not.
    import pytest

P = ParamSpec("P")
R = TypeVar("R")


def allow(facts: Facts) -> None:
    """Decide that nothing speaks against it."""
    del facts


def deny(facts: Facts) -> None:
    """Decide against it."""
    del facts
    raise PolicyDenied("no room")


def empty_ledger(folder: Path) -> Path:
    """A ledger that exists and has nothing in it."""
    path = folder / "ledger.sqlite3"
    with SqliteLedger(path) as ledger:
        ledger.check_writable()
    return path


def claim(ledger: Ledger, key: str = KEY, decide: Callable[[Facts], None] = allow) -> Claim:
    """Claim the key for a payment, at noon, with no duplicates looked for."""
    return ledger.claim(an_intent(key), decide, window_minutes=0, now=NOON)


class Watching:
    """Decides for it and keeps the facts it was shown."""

    def __init__(self) -> None:
        self.facts: list[Facts] = []

    def __call__(self, facts: Facts) -> None:
        self.facts.append(facts)


def every_connection(patch: pytest.MonkeyPatch, prepare: Callable[[sqlite3.Connection], object]) -> None:
    """Prepare every connection that a ledger opens meanwhile."""
    real = sqlite3.connect

    def connect(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = real(*args, **kwargs)
        prepare(connection)
        return connection

    patch.setattr("blikk_payments.ledger.sqlite.schema.sqlite3.connect", connect)


def full_disk(patch: pytest.MonkeyPatch) -> None:
    """A disk that takes nothing more (SQLITE_FULL, brought about by SQLite's own limit on pages)."""
    every_connection(patch, lambda connection: connection.execute("PRAGMA max_page_count=1"))


def heard_statements(patch: pytest.MonkeyPatch) -> list[str]:
    """What the ledgers that are opened meanwhile tell SQLite."""
    statements: list[str] = []
    every_connection(patch, lambda connection: connection.set_trace_callback(statements.append))
    return statements


def gone_process() -> ProcessIdentity:
    """A process that certainly ended: this one's pid, but an earlier start."""
    return replace(ProcessIdentity.current(), started="1")


def in_child(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function in a fresh process and hand back what it returns or raises."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()


def race(place: Path | str, threads: int, barrier: Barrier, keys: list[str], limit_isk: int) -> list[bool | str]:
    """Claim each key once, all at the same time, over one ledger object; whether it was fresh, or the error's code."""
    results: list[bool | str] = []

    def decide(facts: Facts) -> None:
        if facts.reserved_today_isk + 100 > limit_isk:
            raise PolicyDenied("no room")

    def claim(key: str) -> None:
        barrier.wait()
        try:
            results.append(ledger.claim(an_intent(key, 100), decide, window_minutes=0, now=NOON).fresh)
        except PaymentsError as error:
            results.append(error.code)

    opened = SqliteLedger(place, busy_timeout_seconds=30) if isinstance(place, Path) else open_ledger(place)
    with opened as ledger:
        running = [threading.Thread(target=claim, args=(key,)) for key in keys]
        assert len(running) == threads
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
    return results
