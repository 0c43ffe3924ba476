"""Support: the real process on raw lines, for callers that misbehave, with folders of its own to look through."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream

LIMIT_SECONDS = 60.0
LINE_BYTES = 4 * 1024 * 1024

MODULE = (sys.executable, "-m", "blikk_mcp.cli")
CONSOLE_SCRIPT = (str(Path(sys.executable).with_name("blikk-mcp")),)

HANDSHAKE = "2025-11-25"


@dataclass(frozen=True)
class Place:
    """The folders of one process: everything that it can be expected to write is below `root`."""

    root: Path

    @property
    def ledger(self) -> Path:
        return self.root / "state" / "ledger.sqlite3"

    @property
    def cwd(self) -> Path:
        return self.root / "cwd"

    @property
    def stderr(self) -> Path:
        return self.root / "stderr.txt"

    def environment(self, **more: str) -> dict[str, str]:
        """What a program needs to start, with home, state and temporary files in this place."""
        for name in ("home", "tmp", "cwd"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root / "home"),
            "TMPDIR": str(self.root / "tmp"),
            "BLIKK_LEDGER": str(self.ledger),
            **more,
        }

    def files(self) -> dict[str, bytes]:
        """Every file below the root by its name there, but what the test itself put there."""
        paths = [path for path in sorted(self.root.rglob("*")) if path.is_file() and not path.is_symlink()]
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in paths
            if path != self.stderr and "given" not in path.parts
        }


class Caller:
    """One side of a conversation with the server. `reply` answers what the server asks its client."""

    def __init__(self, process: anyio.abc.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self.lines: list[str] = []
        self.reply: Callable[[str], dict[str, Any]] = lambda method: {"action": "decline"}
        self._stdin = process.stdin
        self._stdout = BufferedByteReceiveStream(process.stdout)
        self._last_id = 0

    async def line(self, line: str | bytes) -> None:
        """One raw line to stdin."""
        await self._stdin.send((line.encode() if isinstance(line, str) else line) + b"\n")

    async def bytes(self, data: bytes) -> None:
        """Bytes to stdin as they are."""
        await self._stdin.send(data)

    async def say(self, message: Mapping[str, Any]) -> None:
        """One message."""
        await self.line(json.dumps({"jsonrpc": "2.0", **message}))

    def request(self, method: str, params: Any = None) -> tuple[int, dict[str, Any]]:
        """A request with the next id, to be said."""
        self._last_id += 1
        message: dict[str, Any] = {"id": self._last_id, "method": method}
        return self._last_id, message if params is None else {**message, "params": params}

    async def hear_raw(self) -> str:
        """The next line on stdout."""
        with anyio.fail_after(LIMIT_SECONDS):
            line = (await self._stdout.receive_until(b"\n", LINE_BYTES)).decode()
            self.lines.append(f"{line}\n")
            return line
        raise AssertionError("nothing was said")

    async def hear(self) -> dict[str, Any]:
        """The next message on stdout, which has to be JSON-RPC."""
        line = await self.hear_raw()
        message: dict[str, Any] = json.loads(line)
        if "jsonrpc" not in message:
            raise AssertionError("a line on stdout is no JSON-RPC message")
        return message

    async def answer_to(self, number: object) -> dict[str, Any]:
        """The answer to a request; what the server asks meanwhile is answered."""
        while True:
            message = await self.hear()
            if "method" in message and "id" in message:
                await self.say({"id": message["id"], "result": self.reply(message["method"])})
            elif message.get("id") == number and "method" not in message:
                return message

    async def ask(self, method: str, params: Any = None) -> dict[str, Any]:
        """Say a request and wait for its answer."""
        number, message = self.request(method, params)
        await self.say(message)
        return await self.answer_to(number)

    async def initialize(self, version: str = HANDSHAKE, **capabilities: Any) -> dict[str, Any]:
        """The handshake."""
        client = {"name": "test", "version": "1"}
        answer = await self.ask(
            "initialize", {"protocolVersion": version, "capabilities": capabilities, "clientInfo": client}
        )
        await self.say({"method": "notifications/initialized"})
        return answer

    async def call(self, tool: str, arguments: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """A tool's structured result; `{}` if the call was answered with something else."""
        answer = await self.ask("tools/call", {"name": tool, "arguments": arguments, **more})
        return answer.get("result", {}).get("structuredContent", {})

    async def hang_up(self) -> int:
        """Close stdin, hear the rest, and give the exit code."""
        await self._stdin.aclose()
        with anyio.fail_after(LIMIT_SECONDS):
            try:
                while True:
                    line = await self._stdout.receive_until(b"\n", LINE_BYTES)
                    self.lines.append(f"{line.decode()}\n")
            except (anyio.EndOfStream, anyio.IncompleteRead):
                return await self.process.wait()
        raise AssertionError("the process did not end")

    def memory_mb(self) -> float:
        """Resident memory of the process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (kilobytes,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")]
        return int(kilobytes) / 1024


@asynccontextmanager
async def started(
    place: Place, environ: Mapping[str, str], *arguments: str, command: Sequence[str] = MODULE
) -> AsyncGenerator[Caller]:
    """The process; its stderr goes to a file, so that debug logs never fill a pipe."""
    with place.stderr.open("ab") as stderr:
        process = await anyio.open_process(
            [*command, *arguments],
            env=environ,
            cwd=place.cwd,
            stderr=stderr,
        )
    try:
        yield Caller(process)
    finally:
        if process.returncode is None:
            process.kill()
        with anyio.CancelScope(shield=True):
            await process.aclose()


async def ended(
    place: Place, environ: Mapping[str, str], *arguments: str, command: Sequence[str] = MODULE
) -> subprocess.CompletedProcess[bytes]:
    """A command that ends by itself, with nothing on its stdin."""
    with anyio.fail_after(LIMIT_SECONDS):
        return await anyio.run_process(
            [*command, *arguments],
            input=b"",
            env=environ,
            cwd=place.cwd,
            check=False,
        )
    raise AssertionError("the command did not end")
