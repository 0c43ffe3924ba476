"""Measure what writing a payment down costs: `python benchmarks/bench_ledger.py`.

Creates through the whole service against a Blikk that answers at once, in turns with bare `sqlite3` in the same folder
that writes the very same rows, in as many durable commits, with no reads, no Python of ours and no threads. Beside it,
for scale, as many durable commits of one small row each. Exits 1 if a promise is broken.

All of it runs on one CPU, where the system lets a process choose: a create goes to the ledger's thread and back twice, and
what it takes to wake up another CPU for that depends on the machine, in a virtual one on its host, not on the code.
"""

from __future__ import annotations

import os
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

ROUNDS, CREATES = 21, 64
WARM_ROUNDS = 8
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


async def seconds_to_create(ledger: SqliteLedger, first: int, creates: int = CREATES) -> float:
    """Seconds for so many creates, one after the other."""
    async with PaymentService(channel=InstantChannel(), ledger=ledger, policy=POLICY) as service:
        # The first one opens the file and starts the worker thread.
        await service.create(an_intent(first))
        started = time.perf_counter()
        for number in range(first + 1, first + 1 + creates):
            snapshot = await service.create(an_intent(number))
            assert snapshot.record.state is ClaimState.CREATED
            assert snapshot.kept
        return time.perf_counter() - started


class Listener:
    """Hears every statement of the ledgers opened meanwhile."""

    def __init__(self) -> None:
        self.transactions: list[list[str]] = []

    def connect(self, path: Path, busy_timeout_seconds: float) -> sqlite3.Connection:
        """Open as the ledger does, and listen."""
        connection = connect(path, busy_timeout_seconds)
        connection.set_trace_callback(self._hear)
        return connection

    def _hear(self, statement: str) -> None:
        if statement.startswith("BEGIN"):
            self.transactions.append([])
        # The ledger reads its own key before its first transaction.
        if self.transactions:
            self.transactions[-1].append(statement)

    @property
    def writes(self) -> list[list[str]]:
        """What was written and committed, without the reads in between."""
        written = [one for one in self.transactions if (one[0], one[-1]) == ("BEGIN IMMEDIATE", "COMMIT")]
        return [[statement for statement in one if not statement.startswith("SELECT")] for one in written]


def writes_of(folder: Path, creates: int) -> list[list[str]]:
    """The write transactions of so many creates."""
    listener = Listener()
    with SqliteLedger(folder / "heard.sqlite3") as ledger:
        ledger.check_writable()
    with mock.patch.object(sqlite_file, "connect", listener.connect), SqliteLedger(folder / "heard.sqlite3") as ledger:
        anyio.run(seconds_to_create, ledger, 0, creates - 1)
    return listener.writes


class Bare:
    """Nothing but `sqlite3`, as durable as the ledger. Stays open, as the ledger does."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("CREATE TABLE IF NOT EXISTS small (number INTEGER PRIMARY KEY, key TEXT)")

    def seconds_to_write(self, transactions: Sequence[Sequence[str]]) -> float:
        """Seconds for these transactions."""
        started = time.perf_counter()
        for statements in transactions:
            for statement in statements:
                self._connection.execute(statement)
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


def beside_bare(folder: Path, writes: list[list[str]], commits: int) -> list[tuple[float, ...]]:
    """Seconds for some creates; for the same rows with bare `sqlite3`; and for as many commits of a small row."""
    share = CREATES * commits
    small = [["BEGIN IMMEDIATE", "INSERT INTO small (key) VALUES ('purchase')", "COMMIT"]] * share
    SqliteLedger(folder / "same.sqlite3").check_writable()
    with (
        SqliteLedger(folder / "creates.sqlite3") as ledger,
        closing(Bare(folder / "same.sqlite3")) as same,
        closing(Bare(folder / "small.sqlite3")) as bare,
    ):
        # From the first checkpoint on a write-ahead log is written over, and no longer grows with every commit.
        bare.seconds_to_write(small * WARM_ROUNDS)
        same.seconds_to_write(writes[: share * WARM_ROUNDS])
        anyio.run(seconds_to_create, ledger, 1_000_000, CREATES * WARM_ROUNDS)
        return in_turns(
            lambda number: anyio.run(seconds_to_create, ledger, number * 1_000),
            lambda number: same.seconds_to_write(writes[share * (WARM_ROUNDS + number) :][:share]),
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


def stay_on_one_cpu() -> None:
    """Run on one of the CPUs that this process may use; a system without such a choice measures on all."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])


def main() -> int:
    """Measure and print; 1 if a promise does not hold."""
    stay_on_one_cpu()
    with tempfile.TemporaryDirectory(prefix="blikk-bench-") as name:
        folder = Path(name)
        creates = CREATES * (ROUNDS + WARM_ROUNDS)
        writes = writes_of(folder, creates)
        commits = len(writes) / creates
        speed = beside_bare(folder, writes, round(commits))
        size = many_beside_few(folder)
    share, growth = median_ratio(speed, 1, 0), median_ratio(size, 0, 1)
    kept = [share >= LEAST_SHARE_OF_BARE, commits <= MOST_COMMITS, growth <= MOST_GROWTH]
    verdicts = ["kept" if one else "BROKEN" for one in kept]
    ours, same, small = (CREATES / median(speed, which) for which in range(3))
    many, few = (median(size, which) / CREATES * 1_000 for which in range(2))
    print(f"{ours:,.0f} creates a second on one process; bare sqlite3 writes the same rows {same:,.0f} times a second")
    print(f"  {share:.0%} of it; promise: at least {LEAST_SHARE_OF_BARE:.0%}, {verdicts[0]}")
    print(f"  for scale: as many commits of one small row each {small:,.0f} times, {median_ratio(speed, 2, 0):.0%}")
    print(f"{commits:.2f} durable commits a create")
    print(f"  promise: at most {MOST_COMMITS}, {verdicts[1]}")
    print(f"{few:.2f} ms for a create among {FEW:,} payments, {many:.2f} ms among {MANY:,}")
    print(f"  {growth:.2f} times as long; promise: at most {MOST_GROWTH} times, {verdicts[2]}")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
