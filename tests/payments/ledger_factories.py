"""What the ledger's tests arrange with: intents, answers, times, and other processes."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from blikk_payments.channel.wire import ChannelPayment, Status
from blikk_payments.errors import PaymentsError, PolicyDenied
from blikk_payments.ledger.opening import SqliteLedger, open_ledger
from blikk_payments.ledger.processes import ProcessIdentity
from blikk_payments.ledger.protocol import Claim, Ledger
from blikk_payments.models import Facts, PaymentIntent

if TYPE_CHECKING:
    # The processes of races and crashes need it not.
    import pytest

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
KEY, OTHER_KEY = "order-0001", "order-0002"
SSN, ACCOUNT = "0101302989", "IS015926007654"
OTHER_ACCOUNT = "IS051526123456"

P = ParamSpec("P")
R = TypeVar("R")


def at(seconds: float) -> datetime:
    """A time so many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def intent(
    key: str = KEY,
    amount_isk: int = 1000,
    *,
    account_key: str = ACCOUNT,
    creditor_ssn: str = SSN,
    creditor_name: str = "Jón Jónsson",
    purpose: str = "",
    warnings: tuple[str, ...] = (),
    confirmed_duplicate_of: str = "",
) -> PaymentIntent:
    """A payment of 1,000 ISK that nothing speaks against."""
    return PaymentIntent(
        idempotency_key=key,
        amount_isk=amount_isk,
        creditor_name=creditor_name,
        creditor_ssn=creditor_ssn,
        account_key=account_key,
        masked_account="0159-26-•••654",
        creditor_bban=account_key[2:],
        purpose=purpose,
        warnings=warnings,
        confirmed_duplicate_of=confirmed_duplicate_of,
    )


FORGED_NAME = "J\u00f3n J\u00f3nss\u043en"
"""Looks like the name of `intent`, and has a Cyrillic letter."""


def lookalike(key: str = OTHER_KEY, name: str = FORGED_NAME, account_key: str = OTHER_ACCOUNT) -> PaymentIntent:
    """A payment to somebody at another account whose name looks like that of `intent`."""
    return intent(key, account_key=account_key, creditor_name=name)


def answer(payment_id: str = "blikk-1", status: Status = Status.DRAFT, url: str = "", text: str = "") -> ChannelPayment:
    """What Blikk says of a payment."""
    return ChannelPayment(payment_id=payment_id, status=status, redirect_url=url, bank_text=text)


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
    return ledger.claim(intent(key), decide, window_minutes=0, now=NOON)


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
            results.append(ledger.claim(intent(key, 100), decide, window_minutes=0, now=NOON).fresh)
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
