"""The bank: a sandbox of the product's as a process of its own, and what its control API can do."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio.to_thread
import httpx

SPEED: Final = 5000
"""How many times faster than usual the bank does its own part; a person's time is moved by the clock."""
CLOCK_SCALE: Final = 100
"""The bank's clock runs in steps of the conversation's time, a hundredfold: real time counts for nothing beside it."""
LINK_SECONDS: Final = 1800
"""How long a link lives where a scenario says nothing: longer than any conversation and the time after it."""
TIMEOUT_SECONDS: Final = 20.0
STOP_SECONDS: Final = 5.0


def product_command() -> str:
    """The installed `blikk-mcp`: `BLIKK_EVALS_COMMAND`, or the one in the repository's own environment."""
    own = Path(__file__).resolve().parents[2] / ".venv" / "bin" / "blikk-mcp"
    return os.environ.get("BLIKK_EVALS_COMMAND") or str(own)


def browser(visitor: str = "") -> httpx.AsyncClient:
    """A client for pages of this machine; the bank's record names its visitor."""
    headers = {"Sandbox-Visitor": visitor} if visitor else {}
    # All is plain http here: without this every client would first read the machine's certificates.
    return httpx.AsyncClient(headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False, verify=False)  # noqa: S501


class Bank:
    """One sandbox. `api_key` is the canary: it must be in no message."""

    def __init__(self, process: subprocess.Popen[str], says: Mapping[str, str]) -> None:
        self._process = process
        self.base_url = says["base_url"]
        self.api_key = says["api_key"]
        self._control_url = says["control_url"]

    async def forget(self) -> None:
        """Forget all that was before."""
        await self.prepare((), ())
        await self._ask("DELETE", "/record")

    async def prepare(self, lives: Sequence[dict[str, Any]], faults: Sequence[dict[str, Any]]) -> None:
        """Set the lives and the faults of the payments to come."""
        scaled = [{name: _scaled(name, value) for name, value in life.items()} for life in lives]
        await self._ask("PUT", "/lives", {"lives": scaled})
        await self._ask("PUT", "/faults", {"faults": faults})

    async def advance(self, seconds: float) -> None:
        """Let so much of the conversation's time go by."""
        await self._ask("POST", "/clock", {"advance_seconds": seconds * CLOCK_SCALE})

    async def record(self) -> dict[str, Any]:
        """What the bank received and what became of it."""
        return await self._ask("GET", "/record")

    async def answer_in_app(self, decision: str) -> bool:
        """Answer every payment that waits for its person, as one does in the bank's app; whether there was any."""
        waiting = [payment for payment in (await self.record())["payments"] if payment["status"] == "SCA_REQUIRED"]
        for payment in waiting:
            await self._ask("POST", f"/payments/{payment['id']}/{decision}")
        return bool(waiting)

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()

    async def _ask(self, method: str, path: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
        async with browser() as client:
            answer = await client.request(method, f"{self._control_url}{path}", json=content)
        if answer.is_error:
            raise RuntimeError(f"the sandbox's control API refused {method} {path}: {answer.text}")
        return answer.json()


class Banks:
    """Sandboxes that wait for the next sample: to start one costs more than all that a sample does with it."""

    def __init__(self) -> None:
        self._free: list[Bank] = []
        self._all: list[Bank] = []
        atexit.register(self.stop)

    @asynccontextmanager
    async def one(self) -> AsyncGenerator[Bank]:
        """A sandbox that nobody else uses now."""
        bank = self._free.pop() if self._free else await anyio.to_thread.run_sync(self._start)
        try:
            yield bank
        finally:
            self._free.append(bank)

    def stop(self) -> None:
        """End them all."""
        for bank in self._all:
            bank.stop()
        self._all.clear()
        self._free.clear()

    def _start(self) -> Bank:
        command = [
            product_command(),
            "sandbox",
            "--speed",
            str(SPEED),
            "--link-seconds",
            str(LINK_SECONDS * CLOCK_SCALE),
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # noqa: S603 - ours
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the sandbox did not start")
        bank = Bank(process, json.loads(line))
        self._all.append(bank)
        return bank


def _scaled(name: str, value: Any) -> Any:
    return value * CLOCK_SCALE if name.endswith("_seconds") else value
