"""Measure what writing payments down costs: `python benchmarks/bench_ledger.py`.

Creates through the whole service against a Blikk that answers at once, in turns with bare `sqlite3` in the same folder,
which has the ledger's settings and writes the very same rows in as many durable commits: no reads, no Python of ours, no
threads. Beside it, for scale: small rows, `sqlite3` as it comes, a disk that is waited for, and one that is so slow
that the ledger's thread takes over, where creates at once share commits.
Exits 1 if a promise is broken.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import anyio

from blikk_payments.channel.wire import ChannelPayment, PaymentOrder, Status
from blikk_payments.ledger.calls import SLOW_SECONDS
from blikk_payments.ledger.history import Event
from blikk_payments.ledger.sql.ledger import SqliteLedger
from blikk_payments.ledger.sqlite.engine import SqliteFile
from blikk_payments.ledger.sqlite.schema import LOG_PAGES, SETTINGS
from blikk_payments.models import ClaimState, PaymentIntent
from blikk_payments.policy import Policy
from blikk_payments.service import Channel, PaymentService

ROUNDS, CREATES = 21, 64
AT_ONCE = 16
WARM_ROUNDS = 8
FEW, MANY = 100, 100_000
POLICY = Policy(daily_limit_isk=10**12, creates_per_minute=10**9)
NOW = datetime.now(UTC)

Statement = tuple[str, Sequence[Any]]
Writes = list[Statement]

FULL = 2
"""SQLite's number for `synchronous=FULL`: a commit is durable when it returns, in every journal mode."""

PAGE_BYTES = 4096
LEDGER_SETTINGS = ("journal_mode=WAL", *SETTINGS)
WAIT_SECONDS, LONG_WAIT_SECONDS = 0.001, 2 * SLOW_SECONDS

FOR_SCALE = (
    ("creates", "small", "of a small row"),
    ("creates", "as it comes", "of a small row, sqlite3 as it comes (rollback journal)"),
    ("waiting", "same waiting", f"of the same rows, where each waits {WAIT_SECONDS * 1_000:.0f} ms for the disk"),
    ("waiting", "small waiting", f"of a small row, where each waits {WAIT_SECONDS * 1_000:.0f} ms for the disk"),
)
"""What is measured beside what is promised: ours, bare, and what bare writes."""

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
    intents = iter([an_intent(number) for number in range(first, first + creates)])

    async def create_some() -> None:
        for intent in intents:
            snapshot = await service.create(intent)
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


class Waiting(sqlite3.Connection):
    """A connection to a disk that every commit waits for."""

    seconds = WAIT_SECONDS

    def execute(self, sql: str, values: Any = (), /) -> sqlite3.Cursor:
        """Execute, and wait for the disk."""
        if sql == "COMMIT":
            time.sleep(self.seconds)
        return super().execute(sql, values)


class WaitingLong(Waiting):
    """A connection to a disk that no event loop should wait for."""

    seconds = LONG_WAIT_SECONDS


@contextmanager
def connections(kind: Callable[..., sqlite3.Connection]) -> Generator[None]:
    """Whatever connects to SQLite meanwhile gets a connection of this kind."""
    connect: Any = sqlite3.connect
    with mock.patch.object(sqlite3, "connect", partial(connect, factory=kind)):
        yield


def writes_of(folder: Path, creates: int) -> list[Writes]:
    """The write transactions of so many creates, without the reads in between."""
    heard: list[Statement] = []

    def hear(*args: Any, **kwargs: Any) -> Heard:
        connection = Heard(*args, **kwargs)
        connection.statements = heard
        return connection

    path = folder / "heard.sqlite3"
    with SqliteLedger(path) as ledger:
        ledger.check_writable()
    with connections(hear), SqliteLedger(path) as ledger:
        anyio.run(seconds_to_create, ledger, 0, creates)
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
    """Nothing but `sqlite3`. Stays open, as the ledger does."""

    def __init__(self, path: Path, *settings: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for setting in settings:
            self._connection.execute(f"PRAGMA {setting}")
        # Some systems build SQLite with another default.
        assert self._connection.execute("PRAGMA synchronous").fetchone() == (FULL,), "its commits are not durable"
        self._connection.execute("CREATE TABLE IF NOT EXISTS small (number INTEGER PRIMARY KEY, key TEXT)")
        # From the first checkpoint on a write-ahead log is written over, and no longer grows with every commit.
        self._connection.execute("INSERT INTO small (key) VALUES (hex(zeroblob(?)))", (LOG_PAGES * PAGE_BYTES // 2,))

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
            intent = an_intent(10_000_000 + number)
            claimed = rows.fingerprints.sending(intent, rows.fingerprints.account(intent), (), None, "", at)
            answered = claimed.record._replace(
                state=ClaimState.CREATED, payment_id=f"old-{number}", status=Status.SUCCESS
            )
            rows.write(None, claimed.becomes(answered))
            rows.remember(rows.fingerprints.payee(answered.creditor_name, claimed.account_fingerprint))
            rows.note(claimed.becomes(answered), {Event.CLAIMED: {}, Event.SENDING: {}, Event.CREATED: {}}, at)
    file.close()


def in_turns(measures: Mapping[str, Callable[[int], float]], first: int = 0) -> dict[str, list[float]]:
    """The seconds of each in every round: in turns, so that a busy moment hits all of them.

    Every other round goes backwards: what went before leaves caches warm or cold, so each of two comes after itself as
    often as after the other.
    """
    seconds: dict[str, list[float]] = {name: [] for name in measures}
    names = list(measures)
    for number in range(first, first + ROUNDS):
        for name in names:
            seconds[name].append(measures[name](number))
        names.reverse()
    return seconds


def ratio(seconds: dict[str, list[float]], one: str, by: str) -> float:
    """The median of one measure by another one of the same round."""
    return statistics.median(first / second for first, second in zip(seconds[one], seconds[by], strict=True))


def rate(seconds: dict[str, list[float]], name: str) -> str:
    """How many creates a second, or as many as a create makes of whatever it is."""
    return f"{CREATES / statistics.median(seconds[name]):,.0f}"


def part(transactions: list[Writes], first: int, rounds: int) -> list[Writes]:
    """What so many rounds write, from that round on, of what all of them write."""
    begin, end = (len(transactions) * one // (WARM_ROUNDS + ROUNDS) for one in (first, first + rounds))
    return transactions[begin:end]


def beside_bare(folder: Path, writes: list[Writes]) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds for creates and for bare `sqlite3`, which takes as many commits; `writes` are those of the creates.

    First what is promised, with nobody else in between; then all that is measured for scale.
    """
    small: list[Writes] = [[("BEGIN", ()), ("INSERT INTO small (key) VALUES (?)", ("key",)), ("COMMIT", ())]]
    small *= len(writes)
    with ExitStack() as stack:

        def creating(name: str) -> Callable[[int], float]:
            ledger = stack.enter_context(SqliteLedger(folder / f"{name}.sqlite3"))
            anyio.run(seconds_to_create, ledger, 1_000_000, CREATES * WARM_ROUNDS)
            return lambda number: anyio.run(seconds_to_create, ledger, number * 1_000)

        def writing(name: str, transactions: list[Writes], *settings: str) -> Callable[[int], float]:
            if settings:
                with SqliteLedger(folder / f"{name}.sqlite3") as ledger:
                    ledger.check_writable()
            bare = stack.enter_context(closing(Bare(folder / f"{name}.sqlite3", *settings)))
            bare.seconds_to_write(part(transactions, 0, WARM_ROUNDS))
            return lambda number: bare.seconds_to_write(part(transactions, WARM_ROUNDS + number % ROUNDS, 1))

        creates = creating("creates")
        promised = in_turns({"creates": creates, "same": writing("same", writes, *LEDGER_SETTINGS)})
        scale = {
            "creates": creates,
            "small": writing("small", small, *LEDGER_SETTINGS),
            "as it comes": writing("as-it-comes", small),
        }
        with connections(Waiting):
            scale |= {
                "waiting": creating("waiting"),
                "same waiting": writing("same-waiting", writes, *LEDGER_SETTINGS),
                "small waiting": writing("small-waiting", small, *LEDGER_SETTINGS),
            }
        return promised, in_turns(scale, first=ROUNDS)


def on_a_slow_disk(folder: Path) -> tuple[float, float]:
    """Seconds for creates that wait long for every commit: one after the other, and at once."""
    with connections(WaitingLong), SqliteLedger(folder / "slow.sqlite3") as ledger:
        ledger.check_writable()
        alone = anyio.run(seconds_to_create, ledger, 0)
        return alone, anyio.run(seconds_to_create, ledger, 1_000, CREATES, AT_ONCE)


def many_beside_few(folder: Path) -> dict[str, list[float]]:
    """Seconds for some creates among many payments, and among few."""
    fill(folder / "many.sqlite3", MANY)

    def among_few(number: int) -> float:
        fill(folder / f"few-{number}.sqlite3", FEW)
        with SqliteLedger(folder / f"few-{number}.sqlite3") as few:
            return anyio.run(seconds_to_create, few, 0)

    with SqliteLedger(folder / "many.sqlite3") as many:
        return in_turns({"many": lambda number: anyio.run(seconds_to_create, many, number * 1_000), "few": among_few})


def main() -> int:
    """Measure and print; 1 if a promise does not hold."""
    with tempfile.TemporaryDirectory(prefix="blikk-bench-") as name:
        folder = Path(name)
        creates = CREATES * (WARM_ROUNDS + ROUNDS)
        writes = writes_of(folder, creates)
        commits = len(writes) / creates
        promised, scale = beside_bare(folder, writes)
        slow = on_a_slow_disk(folder)
        size = many_beside_few(folder)
    share, growth = ratio(promised, "same", "creates"), ratio(size, "many", "few")
    kept = [share >= LEAST_SHARE_OF_BARE, commits <= MOST_COMMITS, growth <= MOST_GROWTH]
    verdicts = ["kept" if one else "BROKEN" for one in kept]
    few, many = (statistics.median(size[name]) / CREATES * 1_000 for name in ("few", "many"))
    print(f"{rate(promised, 'creates')} creates a second on one process, {commits:.2f} durable commits each")
    print(f"  promise: at most {MOST_COMMITS}, {verdicts[1]}")
    print(f"bare sqlite3 writes the same rows in as many commits {rate(promised, 'same')} times a second")
    print(f"  a create is {share:.0%} as fast; promise: at least {LEAST_SHARE_OF_BARE:.0%}, {verdicts[0]}")
    print("for scale, as many commits:")
    for ours, bare, label in FOR_SCALE:
        print(f"  {label}: {rate(scale, ours)} creates a second, {ratio(scale, bare, ours):.0%} of {rate(scale, bare)}")
    print(
        f"  where each waits {LONG_WAIT_SECONDS * 1_000:.0f} ms: {CREATES / slow[0]:,.0f} creates a second, "
        f"{CREATES / slow[1]:,.0f} if {AT_ONCE} at a time share commits"
    )
    print(f"{few:.2f} ms for a create among {FEW:,} payments, {many:.2f} ms among {MANY:,}")
    print(f"  {growth:.2f} times as long; promise: at most {MOST_GROWTH} times, {verdicts[2]}")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
