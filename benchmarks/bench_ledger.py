"""Measure what writing a payment down costs: `python benchmarks/bench_ledger.py`.

Creates through the whole service, eight at a time, against a Blikk that answers at once, beside bare `sqlite3` that
commits as often, as durably and in the same folder, in turns in the same run. Exits 1 if a promise is broken.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import anyio

from blikk_payments import sqlite_file
from blikk_payments.channel.wire import ChannelPayment, PaymentOrder, Status
from blikk_payments.history import Event
from blikk_payments.models import ClaimState, PaymentIntent
from blikk_payments.policy import Policy
from blikk_payments.service import Channel, PaymentService
from blikk_payments.sqlite_file import SqliteFile
from blikk_payments.sqlite_ledger import SqliteLedger
from blikk_payments.sqlite_schema import connect

ROUNDS, CREATES, AT_ONCE = 21, 64, 8
WARM_COMMITS = 1_000
FEW, MANY = 100, 100_000
POLICY = Policy(daily_limit_isk=10**12, creates_per_minute=10**9)
NOW = datetime.now(UTC)

LEAST_SHARE_OF_BARE = 0.5
MOST_COMMITS = 3
MOST_GROWTH = 1.5


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
        masked_account="IS•• 0159 ••••",
        creditor_bban=f"0159{number:08}",
    )


async def seconds_to_create(ledger: SqliteLedger, first: int, at_once: int) -> float:
    """Seconds for `CREATES` creates, so many of them under way at a time."""
    numbers = iter(range(first + 1, first + 1 + CREATES))

    async def create_some(service: PaymentService) -> None:
        for number in numbers:
            snapshot = await service.create(an_intent(number))
            assert snapshot.record.state is ClaimState.CREATED
            assert snapshot.kept

    async with PaymentService(channel=InstantChannel(), ledger=ledger, policy=POLICY) as service:
        # The first one opens the file and starts a worker thread.
        await service.create(an_intent(first))
        started = time.perf_counter()
        async with anyio.create_task_group() as tasks:
            for _ in range(at_once):
                tasks.start_soon(create_some, service)
        return time.perf_counter() - started


class Commits:
    """Counts the write transactions that ledgers opened meanwhile commit."""

    def __init__(self) -> None:
        self.count = 0
        self._writing = False

    def connect(self, path: Path, busy_timeout_seconds: float) -> sqlite3.Connection:
        """Open as the ledger does, and listen."""
        connection = connect(path, busy_timeout_seconds)
        connection.set_trace_callback(self._hear)
        return connection

    def _hear(self, statement: str) -> None:
        if statement.startswith("BEGIN"):
            self._writing = statement == "BEGIN IMMEDIATE"
        elif statement == "COMMIT":
            self.count += self._writing


def commits_a_create(folder: Path) -> float:
    """How many durable commits one create takes."""
    commits = Commits()
    with mock.patch.object(sqlite_file, "connect", commits.connect), SqliteLedger(folder / "counted.sqlite3") as ledger:
        anyio.run(seconds_to_create, ledger, 0, AT_ONCE)
    return commits.count / (CREATES + 1)


class Bare:
    """`sqlite3` with the ledger's durability and nothing around it: a row a commit. Stays open, as the ledger does."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("CREATE TABLE payments (number INTEGER PRIMARY KEY, key TEXT, name TEXT)")

    def seconds(self, commits: int) -> float:
        """Seconds for so many durable commits."""
        started = time.perf_counter()
        for number in range(commits):
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("INSERT INTO payments (key, name) VALUES (?, ?)", (f"purchase-{number}", "Payee"))
            self._connection.execute("COMMIT")
        return time.perf_counter() - started

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def fill(path: Path, payments: int) -> None:
    """A ledger with so many created payments of the last thirty days, their history and sums, in one transaction."""
    SqliteLedger(path).check_writable()
    file = SqliteFile(path, 5.0)
    with file.writing() as rows:
        for number in range(payments):
            at = NOW - timedelta(days=30) * (1 - number / payments)
            claimed = rows.fingerprints.sending(an_intent(10_000_000 + number), None, "", at)
            answered = replace(
                claimed.record, state=ClaimState.CREATED, payment_id=f"old-{number}", status=Status.SUCCESS
            )
            rows.write(None, claimed.becomes(answered))
            rows.note(claimed.becomes(answered), {Event.CLAIMED: {}, Event.SENDING: {}, Event.CREATED: {}}, at)
    file.close()


@dataclass(frozen=True)
class Compared:
    """Two measures taken in turns, so that a busy moment hits both: their medians, and the median of first by second."""

    first: float
    second: float
    ratio: float


def compared(first: Callable[[int], float], second: Callable[[int], float]) -> Compared:
    """Measure `ROUNDS` times."""
    rounds = [(first(number), second(number)) for number in range(ROUNDS)]
    firsts, seconds = zip(*rounds, strict=True)
    ratio = statistics.median(one / other for one, other in rounds)
    return Compared(statistics.median(firsts), statistics.median(seconds), ratio)


def bare_beside_ours(folder: Path, commits: float) -> Compared:
    """Seconds for the commits of some creates with bare `sqlite3`, and for the creates."""
    with SqliteLedger(folder / "creates.sqlite3") as ledger, closing(Bare(folder / "bare.sqlite3")) as bare:
        # From the first checkpoint on a write-ahead log is written over, and no longer grows with every commit.
        bare.seconds(WARM_COMMITS)
        for number in range(WARM_COMMITS // CREATES):
            anyio.run(seconds_to_create, ledger, 1_000_000 + number * 1_000, AT_ONCE)
        return compared(
            lambda number: bare.seconds(round(commits * CREATES)),
            lambda number: anyio.run(seconds_to_create, ledger, number * 1_000, AT_ONCE),
        )


def many_beside_few(folder: Path) -> Compared:
    """Seconds for some creates, one after the other, among many payments and among few."""
    fill(folder / "many.sqlite3", MANY)

    def among_few(number: int) -> float:
        fill(folder / f"few-{number}.sqlite3", FEW)
        with SqliteLedger(folder / f"few-{number}.sqlite3") as few:
            return anyio.run(seconds_to_create, few, 0, 1)

    with SqliteLedger(folder / "many.sqlite3") as many:
        return compared(lambda number: anyio.run(seconds_to_create, many, number * 1_000, 1), among_few)


def main() -> int:
    """Measure and print; 1 if a promise does not hold."""
    with tempfile.TemporaryDirectory(prefix="blikk-bench-") as name:
        folder = Path(name)
        commits = commits_a_create(folder)
        speed = bare_beside_ours(folder, commits)
        size = many_beside_few(folder)
    kept = [speed.ratio >= LEAST_SHARE_OF_BARE, commits <= MOST_COMMITS, size.ratio <= MOST_GROWTH]
    verdicts = ["kept" if one else "BROKEN" for one in kept]
    ours, bare = CREATES / speed.second, CREATES / speed.first
    print(
        f"{ours:,.0f} creates a second on one process, {AT_ONCE} at a time; bare sqlite3 that commits as often: {bare:,.0f}"
    )
    print(f"  {speed.ratio:.0%} of it; promise: at least {LEAST_SHARE_OF_BARE:.0%}, {verdicts[0]}")
    print(f"{commits:.2f} durable commits a create")
    print(f"  promise: at most {MOST_COMMITS}, {verdicts[1]}")
    many, few = size.first / CREATES * 1_000, size.second / CREATES * 1_000
    print(f"{few:.2f} ms for a create among {FEW:,} payments, {many:.2f} ms among {MANY:,}")
    print(f"  {size.ratio:.2f} times as long; promise: at most {MOST_GROWTH} times, {verdicts[2]}")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
