"""Measure what a fleet creates on one PostgreSQL ledger: `python benchmarks/bench_postgres.py [ROUNDS]`.

Creates a second through the whole service against a Blikk that answers at once, from 1, 2 and 4 processes, each with
as many at a time as it has connections; beside the database, and with 1 ms more to it. In turns, so that a busy moment
hits all. Exits 1 if a promise is broken.
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from socket import AF_UNIX, create_server, socket
from typing import Any

import anyio
from bench_ledger import POLICY, InstantChannel, an_intent

from blikk_payments.ledger.opening import open_ledger
from blikk_payments.ledger.pool import POSTGRES_TURNS, LedgerPool
from blikk_payments.models import ClaimState
from blikk_payments.service import PaymentService

sys.path.append(str(Path(__file__).resolve().parents[1]))
from tests.postgres import over_loopback, running_postgres

ROUNDS, CREATES = 15, 96
PROCESSES = (1, 2, 4)
EXTRA_SECONDS = 0.001
CHUNK_BYTES = 65_536
LIMIT_SECONDS = 120.0
LEAST_SHARE = 0.9


def distance(to: str, ports: Connection) -> None:
    """A process that is half of `EXTRA_SECONDS` away from the database, there and back."""
    server = create_server(("127.0.0.1", 0))
    ports.send(server.getsockname()[1])
    while True:
        near, _ = server.accept()
        far = socket(AF_UNIX)
        far.connect(to)
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=carry, args=(source, sink), daemon=True).start()


def carry(source: socket, sink: socket) -> None:
    """Bytes one way, each a little later."""
    try:
        while data := source.recv(CHUNK_BYTES):
            time.sleep(EXTRA_SECONDS / 2)
            sink.sendall(data)
    except OSError:
        pass
    source.close()
    sink.close()


def pay(address: str, orders: Connection) -> None:
    """A process of the fleet: so many creates, beginning with that number, whenever it is told."""

    async def work() -> None:
        with open_ledger(address) as ledger:
            pool = LedgerPool(POSTGRES_TURNS)
            async with PaymentService(
                channel=InstantChannel(), ledger=ledger, policy=POLICY, run_blocking=pool
            ) as service:
                while (order := await anyio.to_thread.run_sync(orders.recv)) is not None:
                    first, creates = order
                    numbers = iter(range(first, first + creates))

                    async def one_after_the_other(numbers: Any = numbers) -> None:
                        for number in numbers:
                            snapshot = await service.create(an_intent(number))
                            assert snapshot.payment.state is ClaimState.CREATED

                    async with anyio.create_task_group() as tasks:
                        for _ in range(POSTGRES_TURNS):
                            tasks.start_soon(one_after_the_other)
                    orders.send("done")

    anyio.run(work)


@dataclass
class Fleet:
    """Processes on one ledger, and the creates a second that so many of them made, round by round."""

    orders: Sequence[Connection]
    made: dict[int, list[float]]
    created: int = 0

    def measure(self, processes: int) -> None:
        """Let so many of them share `CREATES`."""
        began = time.perf_counter()
        self.run(processes, CREATES // processes)
        self.made[processes].append(CREATES / (time.perf_counter() - began))

    def run(self, processes: int, creates: int) -> None:
        """So many creates by each of so many."""
        for orders in self.orders[:processes]:
            orders.send((self.created, creates))
            self.created += creates
        for orders in self.orders[:processes]:
            if not orders.poll(LIMIT_SECONDS):
                raise TimeoutError("a process of the fleet did not finish")
            orders.recv()

    def share(self) -> float:
        """What the most processes make of what one makes: the median over the rounds."""
        most = self.made[max(PROCESSES)]
        return statistics.median(many / one for many, one in zip(most, self.made[1], strict=True))


def a_fleet(stack: ExitStack, address: str) -> Fleet:
    """Started and warm."""
    context = multiprocessing.get_context("spawn")
    ends: list[Connection] = []
    for _ in range(max(PROCESSES)):
        here, there = context.Pipe()
        process = context.Process(target=pay, args=(address, there), daemon=True)
        process.start()
        stack.callback(process.join, LIMIT_SECONDS)
        stack.callback(here.send, None)
        ends.append(here)
    fleet = Fleet(ends, {processes: [] for processes in PROCESSES})
    fleet.run(len(ends), POSTGRES_TURNS)
    return fleet


def main() -> int:
    """Measure and print; 1 if a promise does not hold."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    context = multiprocessing.get_context("spawn")
    with running_postgres() as server, ExitStack() as stack:
        here, there = context.Pipe()
        proxy = context.Process(target=distance, args=(server.socket, there), daemon=True)
        proxy.start()
        stack.callback(proxy.terminate)
        fleets = {
            "beside the database": a_fleet(stack, server.database()),
            "1 ms more to the database": a_fleet(stack, over_loopback(server.database(), here.recv())),
        }
        for _ in range(rounds):
            for fleet in fleets.values():
                for processes in PROCESSES:
                    fleet.measure(processes)
    print(f"{'creates a second with':28}" + "".join(f"{processes:>14}" for processes in PROCESSES) + "  processes")
    for name, fleet in fleets.items():
        print(f"{name:28}" + "".join(f"{statistics.median(fleet.made[processes]):14.0f}" for processes in PROCESSES))
        verdict = "kept" if fleet.share() >= LEAST_SHARE else "BROKEN"
        print(f"  {fleet.share():.2f} of one with {max(PROCESSES)}; promise: at least {LEAST_SHARE}, {verdict}")
    return 0 if all(fleet.share() >= LEAST_SHARE for fleet in fleets.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
