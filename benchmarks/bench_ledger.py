"""Measure what writing payments down costs: `python benchmarks/bench_ledger.py`.

Creates through the whole service against a Blikk that answers at once, in turns with bare `sqlite3` in the same folder
that writes the very same rows in as many durable commits: no reads, no Python of ours, no threads. Beside them, for
scale, creates with many under way at a time, which share commits, and bare commits of one small row each. Exits 1 if a
promise is broken.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import anyio

from blikk_payments import sqlite_schema
from blikk_payments.channel.wire import ChannelPayment, PaymentOrder, Status
from blikk_payments.history import Event
from blikk_payments.models import ClaimState, PaymentIntent
from blikk_payments.policy import Policy
from blikk_payments.service import Channel, PaymentService
from blikk_payments.sqlite_file import SqliteFile
from blikk_payments.sqlite_ledger import SqliteLedger

ROUNDS, CREATES = 21, 64
AT_ONCE = 16
WARM_ROUNDS = 8
FEW, MANY = 100, 100_000
POLICY = Policy(daily_limit_isk=10**12, creates_per_minute=10**9)
NOW = datetime.now(UTC)

Statement = tuple[str, Sequence[Any]]
Writes = list[Statement]

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


async def seconds_to_create(ledger: SqliteLedger, first: int, creates: int = CREATES, at_once: int = 1) -> float:
    """Seconds for so many creates, with so many under way at a time."""
    numbers = iter(range(first, first + creates))

    async def create_some() -> None:
        for number in numbers:
            snapshot = await service.create(an_intent(number))
            assert snapshot.record.state is ClaimState.CREATED
            assert snapshot.kept

    async with PaymentService(channel=InstantChannel(), ledger=ledger, policy=POLICY) as service:
        # The first one opens the file and starts the worker thread.
        await service.create(an_intent(first + creates))
        started = time.perf_counter()
        async with anyio.create_task_group() as tasks:
            for _ in range(at_once):
                tasks.start_soon(create_some)
        return time.perf_counter() - started


class Heard(sqlite3.Connection):
    """A connection that writes down what it is told."""

    statements: list[Statement]

    def execute(self, sql: str, values: Any = (), /) -> sqlite3.Cursor:
        """Execute, and remember."""
        self.statements.append((sql, values))
        return super().execute(sql, values)


def writes_of(folder: Path, creates: int, at_once: int = 1) -> list[Writes]:
    """The write transactions of so many creates, without the reads in between."""
    heard: list[Statement] = []

    def connect_and_hear(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection = connect(*args, factory=Heard, **kwargs)
        connection.statements = heard
        return connection

    connect = sqlite3.connect
    path = folder / f"heard-{at_once}.sqlite3"
    with SqliteLedger(path) as ledger:
        ledger.check_writable()
    with mock.patch.object(sqlite_schema.sqlite3, "connect", connect_and_hear), SqliteLedger(path) as ledger:
        anyio.run(seconds_to_create, ledger, 0, creates, at_once)
    transactions: list[Writes] = []
    for statement in heard:
        if statement[0].startswith("BEGIN"):
            transactions.append([])
        # What comes before is the opening of the file.
        if transactions:
            transactions[-1].append(statement)
    writes = [one for one in transactions if (one[0][0], one[-1][0]) == ("BEGIN IMMEDIATE", "COMMIT")]
    return [[statement for statement in one if not statement[0].startswith("SELECT")] for one in writes]


class Bare:
    """Nothing but `sqlite3`, as durable as the ledger. Stays open, as the ledger does."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("CREATE TABLE IF NOT EXISTS small (number INTEGER PRIMARY KEY, key TEXT)")

    def seconds_to_write(self, transactions: Sequence[Writes]) -> float:
        """Seconds for these transactions."""
        started = time.perf_counter()
        for statements in transactions:
            for statement in statements:
                self._connection.execute(*statement)
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
            claimed = rows.fingerprints.sending(an_intent(10_000_000 + number), (), None, "", at)
            answered = replace(
                claimed.record, state=ClaimState.CREATED, payment_id=f"old-{number}", status=Status.SUCCESS
            )
            rows.write(None, claimed.becomes(answered))
            rows.remember(rows.fingerprints.payee(answered.creditor_name, claimed.account_fingerprint))
            rows.note(claimed.becomes(answered), {Event.CLAIMED: {}, Event.SENDING: {}, Event.CREATED: {}}, at)
    file.close()


def in_turns(*measures: Callable[[int], float]) -> list[tuple[float, ...]]:
    """The seconds of each in every round: in turns, so that a busy moment hits all of them."""
    return [tuple(measure(number) for measure in measures) for number in range(ROUNDS)]


def median(rounds: list[tuple[float, ...]], which: int) -> float:
    """The median of one of the measures."""
    return statistics.median(one[which] for one in rounds)


def median_ratio(rounds: list[tuple[float, ...]], which: int, to: int) -> float:
    """The median of one measure by another one of the same round."""
    return statistics.median(one[which] / one[to] for one in rounds)


def beside_bare(folder: Path, writes: list[Writes], shared: list[Writes]) -> list[tuple[float, ...]]:
    """Seconds for creates one by one; for what these write, bare; at once; for what these write, bare; for small rows.

    Bare takes as many commits as ours: `writes` are those of creates one by one, `shared` those of creates at once.
    """
    creates = CREATES * (ROUNDS + WARM_ROUNDS)

    def part(transactions: list[Writes], first: int, rounds: int) -> list[Writes]:
        """What so many rounds of creates write, from that round on."""
        return transactions[len(transactions) * first // (ROUNDS + WARM_ROUNDS) :][
            : len(transactions) * rounds // (ROUNDS + WARM_ROUNDS)
        ]

    small: list[Writes] = [[("BEGIN IMMEDIATE", ()), ("INSERT INTO small (key) VALUES (?)", ("key",)), ("COMMIT", ())]]
    small *= CREATES * len(writes) // creates
    for name in ("same", "same-shared"):
        SqliteLedger(folder / f"{name}.sqlite3").check_writable()
    with (
        SqliteLedger(folder / "one-by-one.sqlite3") as one_by_one,
        SqliteLedger(folder / "at-once.sqlite3") as at_once,
        closing(Bare(folder / "same.sqlite3")) as same,
        closing(Bare(folder / "same-shared.sqlite3")) as same_shared,
        closing(Bare(folder / "small.sqlite3")) as bare,
    ):
        # From the first checkpoint on a write-ahead log is written over, and no longer grows with every commit.
        bare.seconds_to_write(small * WARM_ROUNDS)
        same.seconds_to_write(part(writes, 0, WARM_ROUNDS))
        same_shared.seconds_to_write(part(shared, 0, WARM_ROUNDS))
        anyio.run(seconds_to_create, one_by_one, 1_000_000, CREATES * WARM_ROUNDS)
        anyio.run(seconds_to_create, at_once, 1_000_000, CREATES * WARM_ROUNDS, AT_ONCE)
        return in_turns(
            lambda number: anyio.run(seconds_to_create, one_by_one, number * 1_000),
            lambda number: same.seconds_to_write(part(writes, WARM_ROUNDS + number, 1)),
            lambda number: anyio.run(seconds_to_create, at_once, number * 1_000, CREATES, AT_ONCE),
            lambda number: same_shared.seconds_to_write(part(shared, WARM_ROUNDS + number, 1)),
            lambda number: bare.seconds_to_write(small),
        )


def many_beside_few(folder: Path) -> list[tuple[float, ...]]:
    """Seconds for some creates among many payments, and among few."""
    fill(folder / "many.sqlite3", MANY)

    def among_few(number: int) -> float:
        fill(folder / f"few-{number}.sqlite3", FEW)
        with SqliteLedger(folder / f"few-{number}.sqlite3") as few:
            return anyio.run(seconds_to_create, few, 0)

    with SqliteLedger(folder / "many.sqlite3") as many:
        return in_turns(lambda number: anyio.run(seconds_to_create, many, number * 1_000), among_few)


def main() -> int:
    """Measure and print; 1 if a promise does not hold."""
    with tempfile.TemporaryDirectory(prefix="blikk-bench-") as name:
        folder = Path(name)
        creates = CREATES * (ROUNDS + WARM_ROUNDS)
        writes, shared = writes_of(folder, creates), writes_of(folder, creates, AT_ONCE)
        commits, shared_commits = (len(one) / creates for one in (writes, shared))
        speed = beside_bare(folder, writes, shared)
        size = many_beside_few(folder)
    share, growth = median_ratio(speed, 1, 0), median_ratio(size, 0, 1)
    kept = [share >= LEAST_SHARE_OF_BARE, commits <= MOST_COMMITS, growth <= MOST_GROWTH]
    verdicts = ["kept" if one else "BROKEN" for one in kept]
    one_by_one, same, at_once, same_shared, small = (CREATES / median(speed, which) for which in range(5))
    many, few = (median(size, which) / CREATES * 1_000 for which in range(2))
    print(
        f"{one_by_one:,.0f} creates a second on one process; bare sqlite3 writes the same rows {same:,.0f} times a second,"
    )
    print(f"  in as many commits: {share:.0%} of it; promise: at least {LEAST_SHARE_OF_BARE:.0%}, {verdicts[0]}")
    print(f"  with {AT_ONCE} at once, which share commits, {at_once:,.0f}: {median_ratio(speed, 1, 2):.0%} of the same")
    print(
        f"  and {median_ratio(speed, 3, 2):.0%} of bare sqlite3 that shares them alike, {same_shared:,.0f} times a second"
    )
    print(
        f"  as many commits as one by one, of one small row each: {small:,.0f} times, {median_ratio(speed, 4, 0):.0%}"
    )
    print(f"{commits:.2f} durable commits a create, and {shared_commits:.2f} with {AT_ONCE} at once")
    print(f"  promise: at most {MOST_COMMITS}, {verdicts[1]}")
    print(f"{few:.2f} ms for a create among {FEW:,} payments, {many:.2f} ms among {MANY:,}")
    print(f"  {growth:.2f} times as long; promise: at most {MOST_GROWTH} times, {verdicts[2]}")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
