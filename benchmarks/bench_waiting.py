"""Waiting at scale: 1,000 payments awaited at once in one process, and 10,000 waiters on one payment.

Promised: other calls' 95th percentile stays within twice the idle one, a waiter takes less than 50 KB, and ten thousand
waiters on one payment make the requests of one. All over real loopback HTTP to a sandbox in a process of its own.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import anyio

from blikk_payments.channel.client import ChannelClient
from blikk_payments.channel.secret import SecretStr
from blikk_payments.channel.wire import ChannelPayment, PaymentOrder
from blikk_payments.ledger.opening import SqliteLedger
from blikk_payments.policy import Policy
from blikk_payments.service import PaymentService

PAYMENTS = 1_000
WAITERS = 10_000
PROBES = 400
ORDER = PaymentOrder(1000, "Benchmark", "5510730339", creditor_iban="IS140159260076545510730339")


class CountingChannel(ChannelClient):
    """The real client, counting what it asks."""

    reads = 0

    def __init__(self, base_url: str, api_key: SecretStr) -> None:
        super().__init__(base_url, api_key)
        self.all_answered = anyio.Event()
        self._answered: set[str] = set()

    async def read(self, payment_id: str, *, attempts: int = 3) -> ChannelPayment:
        self.reads += 1
        payment = await super().read(payment_id, attempts=attempts)
        self._answered.add(payment_id)
        if len(self._answered) > PAYMENTS:
            self.all_answered.set()
        return payment


async def probe(service: PaymentService, payment_id: str) -> list[float]:
    """Seconds of one status call after the other, with a breath between them."""
    taken: list[float] = []
    for _ in range(PROBES):
        started = time.perf_counter()
        await service.status(payment_id=payment_id)
        taken.append(time.perf_counter() - started)
        await anyio.sleep(0.01)
    return taken


def p95(taken: list[float]) -> float:
    """The 95th percentile, in milliseconds."""
    return statistics.quantiles(taken, n=20)[-1] * 1000


async def measure(base_url: str, api_key: str, folder: Path) -> bool:
    """Print what was measured; whether every promise was kept."""
    channel = CountingChannel(base_url, SecretStr(api_key))
    ledger = SqliteLedger(folder / "ledger" / "ledger.sqlite3")
    ids = [
        (await channel.create(replace(ORDER, amount_isk=1000 + number))).payment_id for number in range(PAYMENTS + 1)
    ]
    async with PaymentService(channel=channel, ledger=ledger, policy=Policy()) as service:
        await probe(service, ids[0])
        idle = p95(await probe(service, ids[0]))

        async def wait(payment_id: str) -> None:
            await service.wait(payment_id, seconds=600, until=lambda record: False)

        busy, after = 0.0, 0
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        async with anyio.create_task_group() as waits:
            for payment_id in ids[1:]:
                waits.start_soon(wait, payment_id)
            # How long the first readings take is the machine's; what is promised is what comes after them.
            await channel.all_answered.wait()
            after, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            busy = p95(await probe(service, ids[0]))
            waits.cancel_scope.cancel()

        asked = channel.reads
        started = time.perf_counter()
        async with anyio.create_task_group() as waits:
            for _ in range(WAITERS):
                waits.start_soon(wait, ids[0])
            await anyio.sleep(10)
            waits.cancel_scope.cancel()
        crowd, seconds = channel.reads - asked, time.perf_counter() - started
    await channel.aclose()
    ledger.close()

    kilobytes = (after - before) / PAYMENTS / 1024
    alone = seconds / 4.5 + 2  # the schedule asks every 5 s ± 10 % at first; and the first reading
    print(f"another call, 95th percentile: idle {idle:.1f} ms, with {PAYMENTS} payments awaited {busy:.1f} ms")
    print(f"  ratio {busy / idle:.2f} (promised: 2 at most)")
    print(f"memory a waiter: {kilobytes:.1f} KB (promised: less than 50)")
    print(f"{WAITERS} waiters on one payment: {crowd} requests in {seconds:.0f} s (one waiter: {alone:.0f} at most)")
    return busy <= 2 * idle and kilobytes < 50 and crowd <= alone


def main() -> int:
    """Start a sandbox of its own, measure, and fail if a promise is not kept."""
    sandbox = subprocess.Popen([sys.executable, "-m", "blikk_mcp.cli", "sandbox"], stdout=subprocess.PIPE, text=True)
    assert sandbox.stdout is not None
    try:
        said = json.loads(sandbox.stdout.readline())
        with tempfile.TemporaryDirectory() as folder:
            kept = anyio.run(measure, said["base_url"], said["api_key"], Path(folder))
    finally:
        sandbox.terminate()
        sandbox.wait()
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
