"""Many agents on one fleet, and what came of each purchase: `python -m tests.fleet.load --agents 500 --seconds 60`.

An agent buys one thing after the other. Every third time it asks two servers at once, as a user who clicks twice does,
and whatever answer leaves it in doubt, it asks again with the same key.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio

from blikk_payments.ledger.opening import open_ledger
from blikk_sandbox.running import RunningSandbox, run_sandbox_in_thread
from tests.fleet.servers import SERVERS, fleet_environment, start
from tests.postgres import running_postgres
from tests.sandbox_control import received
from tests.server.running import PAYMENT, Process

MAX_ASKED = 50
ANSWER_SECONDS = 300.0
"""For a call that hangs: on a busy machine one of five hundred waits long in each of its queues."""
PAID_AT_ONCE_ISK = 151
TWICE_EVERY = 3
FIRST_CALLS = 9_000
"""The numbers of those who call first begin here."""


@dataclass
class Server:
    """One server that answers many calls at a time."""

    process: Process
    answers: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])
    news: anyio.Event = field(default_factory=anyio.Event)

    async def listen(self) -> None:
        """Take the answers as they come."""
        while True:
            message = await self.process.receive()
            if "id" in message:
                self.answers[message["id"]] = message
                self.news.set()
                self.news = anyio.Event()

    async def create(self, payment: Mapping[str, Any]) -> dict[str, Any]:
        """The result of one create."""
        number = await self.process.send("tools/call", {"name": "create_payment", "arguments": payment})
        with anyio.fail_after(ANSWER_SECONDS):
            while number not in self.answers:
                await self.news.wait()
        return self.answers.pop(number)["result"]["structuredContent"]


@dataclass
class Tally:
    """What the agents were told."""

    ids: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    seconds: list[float] = field(default_factory=list[float])
    asked_again: Counter[str] = field(default_factory=Counter[str])


@dataclass(frozen=True)
class Came:
    """What came of a load: a sentence for each payment that was lost or made twice, and the numbers."""

    problems: list[str]
    purchases: int
    tally: Tally
    load_seconds: float

    def report(self) -> str:
        """For people."""
        cuts = statistics.quantiles(self.tally.seconds, n=100)
        again = ", ".join(f"{code} {count}" for code, count in self.tally.asked_again.most_common()) or "never"
        return (
            f"{self.purchases} purchases in {self.load_seconds:.0f} s, {self.purchases / self.load_seconds:.1f} a second; "
            f"{len(self.tally.seconds)} creates: median {cuts[49]:.2f} s, 95 % {cuts[94]:.2f} s, "
            f"longest {max(self.tally.seconds):.2f} s; asked again: {again}\n"
            f"{len(self.problems)} lost or paid twice"
        )


async def shop(number: int, servers: list[Server], tally: Tally, ends_at: float) -> None:
    """Be an agent."""
    bought = 0
    while time.monotonic() < ends_at:
        clicks = 2 if (number + bought) % TWICE_EVERY == 0 else 1
        async with anyio.create_task_group() as tasks:
            for click in range(clicks):
                tasks.start_soon(buy, purchase(number, bought), servers, number + click, tally)
        bought += 1


def purchase(agent: int, bought: int) -> dict[str, Any]:
    """A payment that the bank's record shows by its key, to a payee of its agent's own."""
    key = f"agent-{agent:04}-{bought:04}"
    payment = {**PAYMENT, "amount": PAID_AT_ONCE_ISK, "idempotency_key": key, "creditor_name": key}
    del payment["creditor_iban"]
    return {**payment, "creditor_bban": f"015926{agent:06}"}


async def buy(payment: Mapping[str, Any], servers: list[Server], first: int, tally: Tally) -> None:
    """Ask one server after the other until the payment is paid."""
    ids = tally.ids.setdefault(payment["idempotency_key"], set())
    for asked in range(MAX_ASKED):
        began = time.monotonic()
        result = await servers[(first + asked) % len(servers)].create(payment)
        tally.seconds.append(time.monotonic() - began)
        if result["outcome"] == "paid":
            ids.add(result["payment_id"])
            return
        tally.asked_again[result["error_code"] or result["outcome"]] += 1


def problems(address: str, sandbox: RunningSandbox, tally: Tally) -> list[str]:
    """What was lost or made twice: agents, ledger and bank have to agree, payment for payment."""
    made: dict[str, list[str]] = {key: [] for key in tally.ids}
    for receipt in received(sandbox):
        made.setdefault(receipt["body"]["creditor"]["name"], []).append(receipt["payment_id"])
    with open_ledger(address) as ledger:
        written = {record.idempotency_key: record.payment_id for record in ledger.records(now=datetime.now(UTC))}
        found = [f"ledger: {problem}" for problem in ledger.verify()]
    for key, at_bank in made.items():
        told = tally.ids.get(key, set())
        if not (len(at_bank) == 1 and told == set(at_bank) == {written.get(key)}):
            found.append(f"{key}: {len(at_bank)} requests; told {sorted(told)}, written {written.get(key)}")
    return found


async def run(agents: int, seconds: float, environ: Mapping[str, str], sandbox: RunningSandbox) -> Came:
    """Let so many agents shop for so long."""
    tally = Tally()
    async with AsyncExitStack() as stack:
        servers = [Server(process) for process in await start(stack, *[environ] * SERVERS)]
        listening = await stack.enter_async_context(anyio.create_task_group())
        for number, server in enumerate(servers):
            listening.start_soon(server.listen)
            # A first call loads what the others find loaded.
            await buy(purchase(FIRST_CALLS + number, 0), [server], 0, tally)
        tally.seconds.clear()
        began = time.monotonic()
        async with anyio.create_task_group() as tasks:
            for number in range(agents):
                tasks.start_soon(shop, number, servers, tally, began + seconds)
        took = time.monotonic() - began
        listening.cancel_scope.cancel()
        for server in servers:
            # At the end of its input a server writes down what it has not yet.
            await server.process.close_stdin()
            assert await server.process.end() == 0
    found = await anyio.to_thread.run_sync(problems, environ["BLIKK_LEDGER"], sandbox, tally)
    return Came(found, len(tally.ids) - SERVERS, tally, took)


def main() -> int:
    """Run it, and print what came of it; 1 if a payment was lost or made twice."""
    parser = argparse.ArgumentParser(description="Many agents on one fleet.")
    parser.add_argument("--agents", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    with (
        running_postgres() as server,
        run_sandbox_in_thread() as sandbox,
        tempfile.TemporaryDirectory(prefix="blikk-fleet-") as folder,
    ):
        environ = fleet_environment(sandbox, server, Path(folder))
        came = anyio.run(run, arguments.agents, arguments.seconds, environ, sandbox)
    sys.stdout.write("\n".join([came.report(), *came.problems, ""]))
    return 1 if came.problems else 0


if __name__ == "__main__":
    sys.exit(main())
