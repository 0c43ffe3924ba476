"""Processes that pay at the same moment: this module is the program of each, and starts them.

A line on its standard input is the starting signal: a process has said before that it is ready.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import anyio
import anyio.lowlevel

from blikk_payments.channel.errors import ReadFailed
from blikk_payments.channel.wire import ChannelPayment, PaymentOrder, Status
from blikk_payments.errors import PaymentsError
from blikk_payments.ledger.opening import SqliteLedger, open_ledger
from blikk_payments.ledger.sql.ledger import SqlLedger
from blikk_payments.policy import Policy
from blikk_payments.service import Blocking, Channel, PaymentService
from tests.payments.factories import NOON, an_intent
from tests.payments.mutants import MUTANTS, mutated

ROOT = Path(__file__).resolve().parents[2]
LIMIT_SECONDS = 60.0
PROCESSES, TASKS, CREATES, ROOM = 4, 8, 40, 10
AMOUNT_ISK = 100
BUSY_SECONDS = 30.0

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """What one process does: a create for each key, all at once. A payment's account goes by its key.

    `ledger`: a file's path, or PostgreSQL's address.
    """

    ledger: str
    record: str
    keys: list[str]
    daily_limit_isk: int
    mutant: str = ""


class CountingBank(Channel):
    """Writes every request down where all processes do, and says at once that a person has to act."""

    def __init__(self, record: Path) -> None:
        self._record = record

    async def create(self, order: PaymentOrder) -> ChannelPayment:
        """POST /payment."""
        await anyio.lowlevel.checkpoint()
        descriptor = os.open(self._record, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, f"{order.creditor_name}\n".encode())
        os.close(descriptor)
        return ChannelPayment(
            f"blikk-{order.creditor_name}-{os.getpid()}", Status.SCA_REQUIRED, "https://bank.example/1"
        )

    async def read(self, payment_id: str, *, attempts: int = 3) -> ChannelPayment:
        """GET /payment/{paymentId}."""
        raise ReadFailed("Blikk did not answer the question.", status=503)


@dataclass(frozen=True)
class Raced:
    """What every call was told, and what the bank received, by key."""

    told: list[dict[str, Any]]
    received: Counter[str]


def race(entries: list[Entry]) -> Raced:
    """Start a process for each entry, let them go at once, and gather what they were told."""
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.payments.racing", json.dumps(asdict(entry))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for entry in entries
    ]
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        told = [json.loads(text) for text in _gathered(running)]
    finally:
        for process in running:
            process.kill()
            process.communicate()
    record = Path(entries[0].record)
    names = record.read_text(encoding="utf-8").split() if record.exists() else []
    return Raced([one for several in told for one in several], Counter(names))


def one_key(place: str, folder: Path, mutant: str = "") -> Raced:
    """Eight tasks in each of four processes create the same payment with the same key."""
    keys = ["purchase-1"] * TASKS
    return race([Entry(place, str(folder / "bank"), keys, 10_000, mutant) for _ in range(PROCESSES)])


def last_room(place: str, folder: Path, mutant: str = "") -> Raced:
    """Forty different payments, where the day has room for ten."""
    keys, limit_isk = [f"purchase-{number:02}" for number in range(CREATES)], ROOM * AMOUNT_ISK
    shares = [keys[start::PROCESSES] for start in range(PROCESSES)]
    return race([Entry(place, str(folder / "bank"), share, limit_isk, mutant) for share in shares])


def told(raced: Raced) -> Counter[str]:
    """What the calls were told: an error, or that it was sent, now or before."""
    return Counter(one.get("raised") or ("replayed" if one["replayed"] else "sent") for one in raced.told)


def _gathered(running: list[subprocess.Popen[str]]) -> list[str]:
    """Give the signal to all, then hear all of them."""
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return [process.communicate(timeout=LIMIT_SECONDS)[0] for process in running]


def _opened(place: str) -> SqlLedger:
    if place.startswith("postgresql:"):
        return open_ledger(place)
    return SqliteLedger(Path(place), busy_timeout_seconds=BUSY_SECONDS)


async def _pay(entry: Entry) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    together = threading.Barrier(len(entry.keys))
    looks = iter(entry.keys)

    async def claim_together(call: Callable[[], T]) -> T:
        # In threads, as in production. The first call of every task looks whether its key is free, and no task goes on
        # to its claim before all of them have looked.
        looking = next(looks, None) is not None

        def run() -> T:
            try:
                return call()
            finally:
                if looking:
                    together.wait()

        return await anyio.to_thread.run_sync(run)

    with _opened(entry.ledger) as ledger:
        service = PaymentService(
            channel=CountingBank(Path(entry.record)),
            ledger=ledger,
            policy=Policy(daily_limit_isk=entry.daily_limit_isk, creates_per_minute=10_000),
            now=lambda: NOON,
            run_blocking=cast("Blocking", claim_together),
        )

        async def create(key: str) -> None:
            account = f"IS01592600{key[-2:].strip('-'):0>4}"
            payment = an_intent(key, AMOUNT_ISK, account_key=account, name=key)
            try:
                snapshot = await service.create(payment)
            except PaymentsError as error:
                told.append({"raised": error.code})
                return
            record = snapshot.payment
            told.append({"id": record.payment_id, "state": record.state.value, "replayed": snapshot.replayed})

        async with service, anyio.create_task_group() as tasks:
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            await anyio.to_thread.run_sync(sys.stdin.readline)
            for key in entry.keys:
                tasks.start_soon(create, key)
    return told


def main() -> None:
    """Do what the entry on the command line says."""
    logging.disable(logging.CRITICAL)
    entry = Entry(**json.loads(sys.argv[1]))
    with mutated(MUTANTS.get(entry.mutant)):
        told = anyio.run(_pay, entry)
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
