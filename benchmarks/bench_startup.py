"""How long a client waits for `blikk-mcp serve`: from spawn to `initialize`, to `tools/list` and to a first call.

Three contestants, started in turns, so that they see the same machine: the server with its front door, the server
without (`BLIKK_FRONT_DOOR=off`: what every start was before there was a door), and the least that the same SDK can do,
its low-level server with one trivial tool on its own stdio transport.

Run: .venv/bin/python benchmarks/bench_startup.py [PAIRS]. Exits with 1 if a promise is not kept.
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
PROMISED_RATIO = 0.10
"""To `initialize` and to `tools/list`, of the bare server's median."""

PROMISED_BYTES = 20_000_000
PROMISED_CALL_RATIO = 1.05
"""The first call after a cold start, of what it takes without the door; the rest is the machine's noise."""

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

    def resident_bytes(self) -> int:
        """What it holds in memory (Linux)."""
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

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


@dataclass(frozen=True)
class Start:
    """One start: seconds from spawn, CPU seconds up to the list of tools, and resident bytes before the first call."""

    to_initialize: float
    to_list: float
    to_call: float
    cpu: float
    resident: float


@dataclass
class Series:
    """One contestant's starts."""

    name: str
    command: Sequence[str]
    settings: Mapping[str, str]
    call: Mapping[str, Any]
    starts: list[Start] = field(default_factory=list[Start])

    def start_once(self) -> Start:
        """Spawn, handshake, list, and one call, as a client does it that is in a hurry."""
        begun = time.perf_counter()
        server = Server(self.command, self.settings)
        server.initialize()
        to_initialize = time.perf_counter() - begun
        server.ready()
        server.ask("tools/list", {})
        to_list, cpu, resident = time.perf_counter() - begun, server.cpu_seconds(), server.resident_bytes()
        measured = time.perf_counter()
        server.ask("tools/call", self.call)
        to_call = to_list + time.perf_counter() - measured
        server.end()
        return Start(to_initialize, to_list, to_call, cpu, resident)

    def measure(self) -> None:
        """One more start."""
        self.starts.append(self.start_once())

    def median(self, part: str) -> float:
        """The middle one."""
        return statistics.median(getattr(start, part) for start in self.starts)

    def line(self) -> str:
        """What was measured."""
        times = "".join(f"{self.median(part) * 1e3:9.0f} ms" for part in ("to_initialize", "to_list", "to_call", "cpu"))
        return f"{self.name:24}{times}{self.median('resident') / 1e6:9.1f} MB"


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
        read = {"name": "get_payment_status", "arguments": {"idempotency_key": "never-used-before"}}
        ours = Series("blikk-mcp serve", [OURS, "serve"], settings, read)
        without = Series("without the door", [OURS, "serve"], {**settings, "BLIKK_FRONT_DOOR": "off"}, read)
        bare = Series(
            "bare low-level server", write_bare_server(Path(folder)), {}, {"name": "trivial", "arguments": {}}
        )
        contestants = [ours, without, bare]
        for series in contestants * WARM_UPS:
            series.start_once()
        for turn in range(int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS):
            for series in contestants[turn % 3 :] + contestants[: turn % 3]:
                series.measure()

    heads = ("initialize", "tools/list", "first call", "CPU to list")
    print(f"{f'medians of {len(ours.starts)}':24}{''.join(f'{head:>12}' for head in heads)}{'memory':>12}")
    for series in contestants:
        print(series.line())
    to_initialize = ours.median("to_initialize") / bare.median("to_initialize")
    to_list = ours.median("to_list") / bare.median("to_list")
    to_call = ours.median("to_call") / without.median("to_call")
    print(f"of the bare server: initialize {to_initialize:.3f}, tools/list {to_list:.3f} (promised {PROMISED_RATIO})")
    print(f"first call, of the server's without the door: {to_call:.3f} (promised {PROMISED_CALL_RATIO})")
    loaded = version_imports_mcp()
    print(f"blikk-mcp --version imports mcp: {'YES' if loaded else 'no'}")
    kept = max(to_initialize, to_list) <= PROMISED_RATIO and ours.median("resident") <= PROMISED_BYTES
    return 0 if kept and to_call <= PROMISED_CALL_RATIO and not loaded else 1


if __name__ == "__main__":
    sys.exit(main())
