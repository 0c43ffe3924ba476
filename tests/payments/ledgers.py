"""Support: ledgers to arrange with, their faults, and other processes."""

from __future__ import annotations

import multiprocessing
import sqlite3
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from blikk_payments.errors import PolicyDenied
from blikk_payments.ledger.opening import SqliteLedger
from blikk_payments.ledger.processes import ProcessIdentity
from blikk_payments.ledger.protocol import Claim, Ledger
from blikk_payments.models import Facts, PaymentIntent, PaymentRecord
from tests.payments.factories import KEY, NOON, an_intent, answer, at

if TYPE_CHECKING:
    # The processes of races and crashes need it not.
    import pytest

P = ParamSpec("P")
R = TypeVar("R")

Opener = Callable[..., Ledger]
"""Opens one ledger again and again, as one process or as several."""


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


def claimed(ledger: Ledger, wanted: PaymentIntent | None = None, *, now: datetime = NOON) -> PaymentRecord:
    """Claim for a payment, which has to be a fresh claim, with duplicates looked for."""
    ours = ledger.claim(wanted or an_intent(), allow, window_minutes=1440, now=now)
    assert ours.fresh
    return ours.record


def make(ledger: Ledger, key: str, payment_id: str, *, amount_isk: int = 1000, now: datetime = NOON) -> PaymentRecord:
    """A payment that Blikk created."""
    claimed(ledger, an_intent(key, amount_isk), now=now)
    return ledger.created(key, 1, answer(payment_id=payment_id), now=now)


def facts(ledger: Ledger, *, window_minutes: int = 1440, now: datetime = NOON) -> Facts:
    """What a payment under a new key would be decided on."""
    return ledger.facts(an_intent("order-new"), window_minutes=window_minutes, now=now)


def known(ledger: Ledger, key: str = KEY, *, now: datetime = NOON) -> PaymentRecord:
    """The record under the key, which has to be there."""
    record = ledger.by_key(key, now=now)
    assert record is not None
    return record


def events(ledger: Ledger, key: str = KEY) -> list[str]:
    """What happened to the payment, oldest first."""
    return [entry.event for entry in ledger.history(key)]


def tell(ledger: Ledger, outcome: str, *, attempt: int) -> None:
    """Write down an outcome by its name."""
    if outcome == "created":
        ledger.created(KEY, attempt, answer(payment_id="blikk-9"), now=at(2))
    elif outcome == "refused":
        ledger.refused(KEY, attempt, code="c", bank_text="", now=at(2))
    else:
        ledger.unknown(KEY, attempt, reason="r", now=at(2))


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
    # Forked by a process that has loaded the ledger and nothing else, instead of loading it anew.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "blikk_payments.ledger.opening", "tests.payments.ledgers"])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *args, **kwargs).result()
