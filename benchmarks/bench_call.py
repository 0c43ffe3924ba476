"""What one `get_payment_status` costs the server in CPU, against the least that it could cost.

The least is a trivial tool call of a bare low-level server of the same SDK, plus a bare httpx GET of the same URL over
a connection that is kept open. Three processes are measured in turns against one sandbox, which is a fourth; the
payment waits for a person all the time, so that every call asks the bank.

Run: .venv/bin/python benchmarks/bench_call.py. Exits with 1 if the ratio is above the promise. Linux only.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench_startup import LIMIT_SECONDS, OURS, Server, cpu_seconds, environment, write_bare_server

ROUNDS = 50
CALLS_A_ROUND = 10
WARM_UP_CALLS = 50
PROMISED_RATIO = 1.5

PAYMENT = {
    "amount": 4900,
    "currency": "ISK",
    "creditor_name": "Kaffihúsið Kría ehf.",
    "creditor_ssn": "551073-0339",
    "creditor_iban": "IS14 0159 2600 7654 5510 7303 39",
    "idempotency_key": "benchmark-order-1",
}

BARE_CLIENT = """
import asyncio, json, sys
import httpx


async def main():
    url, key = sys.argv[1:]
    async with httpx.AsyncClient(headers={"Api-Key": key}) as client:
        for line in sys.stdin:
            for _ in range(int(line)):
                (await client.get(url)).json()["status"]
            print("done", flush=True)


asyncio.run(main())
"""


class BareClient:
    """A process that does nothing but GET one URL, as often as it is told to."""

    def __init__(self, script: Path, url: str, key: str) -> None:
        script.write_text(BARE_CLIENT)
        self._process = subprocess.Popen(
            [sys.executable, str(script), url, key],
            env=environment({}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def get(self, times: int) -> None:
        """So many GETs, one after the other."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{times}\n")
        self._process.stdin.flush()
        if self._process.stdout.readline() != "done\n":
            raise RuntimeError("the bare client failed")

    def cpu_seconds(self) -> float:
        """What the process has used so far."""
        return cpu_seconds(self._process.pid)

    def end(self) -> None:
        """Hang up and wait."""
        self._process.communicate(timeout=LIMIT_SECONDS)


@dataclass
class Series:
    """One contestant: what it does so many times, and what that costs it."""

    name: str
    act: Callable[[int], None]
    used: Callable[[], float]
    before: float = 0.0
    cpu: float = 0.0
    wall: list[float] = field(default_factory=list[float])

    def warm_up(self) -> None:
        """Before the first round."""
        self.act(WARM_UP_CALLS)
        self.before = self.used()

    def measure(self) -> None:
        """One more round. CPU is taken over all rounds: in between the process does nothing."""
        begun = time.perf_counter()
        self.act(CALLS_A_ROUND)
        self.wall.append((time.perf_counter() - begun) / CALLS_A_ROUND)
        self.cpu = (self.used() - self.before) / (len(self.wall) * CALLS_A_ROUND)

    def line(self) -> str:
        """What was measured, a call."""
        return f"{self.name:36}{self.cpu * 1e3:8.2f} ms{statistics.median(self.wall) * 1e3:8.2f} ms"


def measured(folder: Path, sandbox: dict[str, str]) -> tuple[Series, Series, Series]:
    """Our call, the bare call and the bare GET, in turns."""
    ours = Server(
        [OURS, "serve"],
        {
            "BLIKK_API_KEY": sandbox["api_key"],
            "BLIKK_BASE_URL": sandbox["base_url"],
            "BLIKK_LEDGER": str(folder / "ledger.sqlite3"),
        },
    )
    bare = Server(write_bare_server(folder), {})
    for server in (ours, bare):
        server.initialize()
        server.ready()

    def call(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        answer = ours.ask("tools/call", {"name": tool, "arguments": arguments})["structuredContent"]
        if answer["outcome"] != "needs_human":
            raise RuntimeError(f"the payment does not wait for a person: {answer}")
        return answer

    def look(times: int) -> None:
        for _ in range(times):
            call("get_payment_status", {"payment_id": payment_id})

    def trivial(times: int) -> None:
        for _ in range(times):
            bare.ask("tools/call", {"name": "trivial", "arguments": {}})

    payment_id = call("create_payment", PAYMENT)["payment_id"]
    url = f"{sandbox['base_url']}/payment/{payment_id}"
    client = BareClient(folder / "bare_client.py", url, sandbox["api_key"])
    contestants = (
        Series("get_payment_status", look, ours.cpu_seconds),
        Series("bare SDK, trivial tool", trivial, bare.cpu_seconds),
        Series("bare httpx, GET of the same URL", client.get, client.cpu_seconds),
    )
    for series in contestants:
        series.warm_up()
    for _ in range(ROUNDS):
        for series in contestants:
            series.measure()
    for process in (ours, bare, client):
        process.end()
    return contestants


def main() -> int:
    """Prints the table and the verdict."""
    with tempfile.TemporaryDirectory(prefix="blikk-bench-") as name:
        bank = subprocess.Popen([OURS, "sandbox"], env=environment({}), stdout=subprocess.PIPE, text=True)
        try:
            assert bank.stdout is not None
            ours, bare, get = measured(Path(name), json.loads(bank.stdout.readline()))
        finally:
            bank.terminate()
            bank.communicate(timeout=LIMIT_SECONDS)

    ratio = ours.cpu / (bare.cpu + get.cpu)
    print(f"{f'{ROUNDS * CALLS_A_ROUND} calls each, one call:':36}{'CPU':>11}{'time':>11}")
    for series in (ours, bare, get):
        print(series.line())
    print(f"{'ratio of CPU':36}{ratio:8.3f}")
    print(f"{'promised':36}{PROMISED_RATIO:8.3f}")
    return 1 if ratio > PROMISED_RATIO else 0


if __name__ == "__main__":
    sys.exit(main())
