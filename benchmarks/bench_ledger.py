"""Measure what writing payments down costs: `python benchmarks/bench_ledger.py`.

Creates through the whole service against a Blikk that answers at once, among few payments and among many.
Exits 1 if a promise is broken.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import anyio

from blikk_payments.channel.wire import ChannelPayment, PaymentOrder, Status
from blikk_payments.ledger.history import Event
from blikk_payments.ledger.opening import SqliteLedger
from blikk_payments.ledger.sql.rows import Rows
from blikk_payments.ledger.sqlite.engine import SqliteEngine
from blikk_payments.models import ClaimState, PaymentIntent
from blikk_payments.policy import Policy
from blikk_payments.service import Channel, PaymentService

ROUNDS, CREATES = 15, 32
FEW, MANY = 100, 100_000
POLICY = Policy(daily_limit_isk=10**12, creates_per_minute=10**9)
NOW = datetime.now(UTC)

COMMITS = 2
MOST_GROWTH = 1.5
MOST_OPENING_SECONDS = 0.1
MOST_VERIFY = 8.0
"""Verifying takes at most so many times what reading every payment takes, in seconds of the processor."""


class InstantChannel(Channel):
    """A Blikk that answers at once that a person has to act, so that nobody polls."""

    async def create(self, order: PaymentOrder) -> ChannelPayment:
        """POST /payment."""
        return ChannelPayment(f"id-{order.creditor_name}", Status.SCA_REQUIRED, "https://bank.example/1")

    async def read(self, payment_id: str, *, attempts: int = 3) -> ChannelPayment:
        """GET /payment/{paymentId}."""
        return ChannelPayment(payment_id, Status.SCA_REQUIRED, "https://bank.example/1")


def an_intent(number: int) -> PaymentIntent:
    """One of many payments that are no duplicates of each other."""
    return PaymentIntent(
        idempotency_key=f"purchase-{number:08}",
        amount_isk=1_000,
        creditor_name=f"Payee {number}",
        creditor_ssn="5510730339",
        account_key=f"IS0159{number:08}",
        masked_account="0159-26-•••654",
        creditor_bban=f"0159{number:08}",
    )


async def seconds_to_create(ledger: SqliteLedger, first: int, creates: int = CREATES) -> float:
    """Seconds for so many creates, one after the other."""
    async with PaymentService(channel=InstantChannel(), ledger=ledger, policy=POLICY) as service:
        # The first one opens the file and starts the worker thread.
        await service.create(an_intent(first + creates))
        started = time.perf_counter()
        for number in range(first, first + creates):
            snapshot = await service.create(an_intent(number))
            assert snapshot.payment.state is ClaimState.CREATED
        return time.perf_counter() - started


class Counting(sqlite3.Connection):
    """A connection that counts durable commits of changes."""

    commits = 0
    writes = False

    def execute(self, sql: str, values: Any = (), /) -> sqlite3.Cursor:
        """Execute, and count."""
        if sql.startswith("BEGIN"):
            self.writes = sql == "BEGIN IMMEDIATE"
        Counting.commits += self.writes and sql == "COMMIT"
        return super().execute(sql, values)


@contextmanager
def connections(kind: Callable[..., sqlite3.Connection]) -> Generator[None]:
    """Whatever connects to SQLite meanwhile gets a connection of this kind."""
    connect: Any = sqlite3.connect
    with mock.patch.object(sqlite3, "connect", partial(connect, factory=kind)):
        yield


def commits_of_a_create(folder: Path) -> float:
    """Durable commits a create."""
    with connections(Counting), SqliteLedger(folder / "counted.sqlite3") as ledger:
        ledger.check_writable()
        Counting.commits = 0
        anyio.run(seconds_to_create, ledger, 0)
    return Counting.commits / (CREATES + 1)


def fill(path: Path, payments: int) -> None:
    """A ledger with so many created payments of the last thirty days, their history and sums, in one transaction."""
    SqliteLedger(path).check_writable()

    def work(rows: Rows) -> None:
        for number in range(payments):
            at = NOW - timedelta(days=30) * (1 - number / payments)
            intent = an_intent(10_000_000 + number)
            claimed = rows.fingerprints.sending(intent, rows.fingerprints.account(intent), (), None, "", "", at)
            answered = claimed.becomes(
                replace(claimed.record, state=ClaimState.CREATED, payment_id=f"old-{number}", status=Status.SUCCESS)
            )
            rows.write(None, answered)
            rows.remember(rows.fingerprints.payee(intent.creditor_name, claimed.account_fingerprint))
            rows.chain.append(answered, {Event.CLAIMED: {}, Event.SENDING: {}, Event.CREATED: {}}, at)

    engine = SqliteEngine(path)
    engine.write(work)
    engine.close()


def many_beside_few(folder: Path) -> tuple[list[float], list[float]]:
    """Seconds for some creates among many payments, and among few: in turns, so that a busy moment hits both."""
    fill(folder / "few.sqlite3", FEW)
    among_many: list[float] = []
    among_few: list[float] = []
    with SqliteLedger(folder / "many.sqlite3") as many, SqliteLedger(folder / "few.sqlite3") as few:
        for number in range(ROUNDS):
            among_many.append(anyio.run(seconds_to_create, many, number * 1_000))
            among_few.append(anyio.run(seconds_to_create, few, number * 1_000))
    return among_many, among_few


def seconds_to_open(path: Path) -> float:
    """The median of opening a ledger and looking up a key that it has not."""
    seconds: list[float] = []
    for _ in range(ROUNDS):
        with SqliteLedger(path) as ledger:
            started = time.perf_counter()
            assert ledger.by_key("no-such-key", now=NOW) is None
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def seconds_to_read(path: Path) -> tuple[float, float]:
    """Seconds for the newest fifty payments, and for all of them, page by page."""
    with SqliteLedger(path) as ledger:
        ledger.check_writable()
        started = time.perf_counter()
        assert len(ledger.recent(limit=50, now=NOW).records) == 50
        newest = time.perf_counter() - started
        started = time.perf_counter()
        assert sum(1 for _ in ledger.records(now=NOW)) == MANY
        return newest, time.perf_counter() - started


def cost_of_verifying(path: Path) -> float:
    """How many times as long as reading every payment it takes to verify them, both in seconds of the processor."""
    with SqliteLedger(path) as ledger:
        ledger.check_writable()
        started = time.process_time()
        assert sum(1 for _ in ledger.records(now=NOW)) == MANY
        read = time.process_time()
        assert ledger.verify() == []
        return (time.process_time() - read) / (read - started)


def main() -> int:
    """Measure and print; 1 if a promise does not hold."""
    with tempfile.TemporaryDirectory(prefix="blikk-bench-") as name:
        folder = Path(name)
        commits = commits_of_a_create(folder)
        fill(folder / "many.sqlite3", MANY)
        opening = seconds_to_open(folder / "many.sqlite3")
        newest, everything = seconds_to_read(folder / "many.sqlite3")
        verify = cost_of_verifying(folder / "many.sqlite3")
        many, few = many_beside_few(folder)
    growth = statistics.median(one / other for one, other in zip(many, few, strict=True))
    kept = [commits == COMMITS, growth <= MOST_GROWTH, opening <= MOST_OPENING_SECONDS, verify <= MOST_VERIFY]
    verdicts = ["kept" if one else "BROKEN" for one in kept]
    few_ms, many_ms = (statistics.median(one) / CREATES * 1_000 for one in (few, many))
    print(f"{commits:.2f} durable commits a create; promise: {COMMITS}, {verdicts[0]}")
    print(f"{few_ms:.2f} ms for a create among {FEW:,} payments, {many_ms:.2f} ms among {MANY:,}")
    print(f"  {growth:.2f} times as long; promise: at most {MOST_GROWTH} times, {verdicts[1]}")
    print(f"{opening * 1_000:.1f} ms to open a ledger of {MANY:,} payments")
    print(f"  promise: at most {MOST_OPENING_SECONDS * 1_000:.0f} ms, {verdicts[2]}")
    print(f"{newest * 1_000:.1f} ms to list its newest 50, {everything:.1f} s for all of them, in pages")
    print(
        f"{verify:.1f} times as long to verify them as to read them; promise: at most {MOST_VERIFY:.0f}, {verdicts[3]}"
    )
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
