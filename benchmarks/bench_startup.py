"""How long a client waits for `blikk-mcp serve`: from spawn to the answer to `initialize`, against a bare server.

The bare server is the least that the same SDK can do: its low-level server with one trivial tool on its own stdio
transport. Both are started in turns, so that they see the same machine.

Run: .venv/bin/python benchmarks/bench_startup.py. Exits with 1 if the ratio of the medians is above the promise.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PAIRS = 25
WARM_UPS = 2
PROMISED_RATIO = 1.1
LIMIT_SECONDS = 60

OURS = str(Path(sysconfig.get_path("scripts")) / "blikk-mcp")

BARE_SERVER = """
import anyio
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server


async def list_tools(ctx, params):
    return types.ListToolsResult(tools=[types.Tool(name="trivial", input_schema={"type": "object"})])


async def call_tool(ctx, params):
    return types.CallToolResult(content=[types.TextContent(type="text", text="ok")])


async def main():
    server = Server("bare", on_list_tools=list_tools, on_call_tool=call_tool)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


anyio.run(main)
"""


class Server:
    """A server on stdio, spoken to in lines of JSON-RPC. The request is on its way before the process is up."""

    def __init__(self, command: Sequence[str], settings: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command, env=environment(settings), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._last_id = 0

    def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a request."""
        self._last_id += 1
        self._send({"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params})
        assert self._process.stdout is not None
        answer = json.loads(self._process.stdout.readline())
        if answer.get("id") != self._last_id or "result" not in answer:
            raise RuntimeError(f"no good answer to {method}: {answer}")
        return answer["result"]

    def initialize(self) -> None:
        """The handshake, up to its answer."""
        client = {"name": "benchmark", "version": "1"}
        self.ask("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client})

    def ready(self) -> None:
        """The rest of the handshake."""
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def cpu_seconds(self) -> float:
        """What the process has used so far."""
        return cpu_seconds(self._process.pid)

    def end(self) -> None:
        """Hang up and wait."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(LIMIT_SECONDS)
        self._process.stdout.close()

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Our own without the server's settings, and with bytecode: an installed server has it."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("BLIKK_")}
    own.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**own, **settings}


def cpu_seconds(pid: int) -> float:
    """User and system time of a living process, all its threads together (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def write_bare_server(folder: Path) -> list[str]:
    """The bare server's command."""
    script = folder / "bare_server.py"
    script.write_text(BARE_SERVER)
    return [sys.executable, str(script)]


@dataclass
class Series:
    """One contestant's times."""

    name: str
    command: Sequence[str]
    settings: Mapping[str, str]
    wall: list[float] = field(default_factory=list[float])
    cpu: list[float] = field(default_factory=list[float])

    def start_once(self) -> tuple[float, float]:
        """Wall and CPU seconds from spawn to the answer."""
        begun = time.perf_counter()
        server = Server(self.command, self.settings)
        server.initialize()
        taken = time.perf_counter() - begun, server.cpu_seconds()
        server.end()
        return taken

    def measure(self) -> None:
        """One more time."""
        wall, cpu = self.start_once()
        self.wall.append(wall)
        self.cpu.append(cpu)

    def line(self) -> str:
        """What was measured."""
        median, least = statistics.median(self.wall) * 1e3, min(self.wall) * 1e3
        return f"{self.name:28}{median:8.0f} ms{least:8.0f} ms{statistics.median(self.cpu) * 1e3:8.0f} ms"


def version_imports_mcp() -> bool:
    """Whether `blikk-mcp --version` loads the SDK."""
    command = [sys.executable, "-X", "importtime", OURS, "--version"]
    ended = subprocess.run(
        command, env=environment({}), capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True
    )
    modules = [line.rpartition("|")[2].strip().partition(".")[0] for line in ended.stderr.splitlines()]
    return not {"mcp", "mcp_types"}.isdisjoint(modules)


def main() -> int:
    """Prints the table and the verdict."""
    with tempfile.TemporaryDirectory(prefix="blikk-bench-") as folder:
        settings = {
            "BLIKK_API_KEY": "a-key-for-the-benchmark-0001",
            "BLIKK_LEDGER": str(Path(folder) / "ledger.sqlite3"),
        }
        ours = Series("blikk-mcp serve", [OURS, "serve"], settings)
        bare = Series("bare low-level server", write_bare_server(Path(folder)), {})
        for _ in range(WARM_UPS):
            ours.start_once()
            bare.start_once()
        for pair in range(PAIRS):
            for series in (ours, bare) if pair % 2 else (bare, ours):
                series.measure()

    ratio = statistics.median(ours.wall) / statistics.median(bare.wall)
    of_least, of_cpu = min(ours.wall) / min(bare.wall), statistics.median(ours.cpu) / statistics.median(bare.cpu)
    print(f"{f'spawn to initialize, {PAIRS} pairs':28}{'median':>11}{'least':>11}{'CPU':>11}")
    print(ours.line())
    print(bare.line())
    print(f"{'ratio':28}{ratio:8.3f}   {of_least:8.3f}   {of_cpu:8.3f}")
    print(f"{'promised, of the medians':28}{PROMISED_RATIO:8.3f}")
    loaded = version_imports_mcp()
    print(f"blikk-mcp --version imports mcp: {'YES' if loaded else 'no'}")
    return 1 if loaded or ratio > PROMISED_RATIO else 0


if __name__ == "__main__":
    sys.exit(main())
