"""Support: the server in memory behind a real MCP client, and as a real process on raw JSON-RPC lines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream
from jsonschema import Draft202012Validator
from mcp.client import Client

from blikk_mcp.app import running_app
from blikk_mcp.redaction.messages import redact_line
from blikk_mcp.redaction.process import redactor_of
from blikk_mcp.redaction.redactor import Redactor
from blikk_mcp.settings.door import door_settings
from blikk_mcp.settings.settings import Settings, raw_secrets, read_settings
from blikk_mcp.settings.values import SettingsError
from blikk_mcp.transports.front_door import FrontDoor, Handover, read_answers
from blikk_mcp.transports.stdio import serve_stdio
from blikk_mcp.transports.wire import Wire
from blikk_sandbox.running import RunningSandbox

LIMIT_SECONDS = 30.0
COMMAND_SECONDS = 60
LINE_BYTES = 1024 * 1024

PAYMENT: Mapping[str, Any] = {
    "amount": 1000,
    "currency": "ISK",
    "creditor_name": "Jón Jónsson",
    "creditor_ssn": "551073-0339",
    "creditor_iban": "IS14 0159 2600 7654 5510 7303 39",
    "idempotency_key": "order-0001",
}

MODERN_META: Mapping[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def environment(sandbox: RunningSandbox, folder: Path, **more: str) -> dict[str, str]:
    """The settings that point at a sandbox, with a ledger of the test's own."""
    return {
        "BLIKK_API_KEY": sandbox.api_key,
        "BLIKK_BASE_URL": sandbox.base_url,
        "BLIKK_LEDGER": str(folder / "state" / "ledger.sqlite3"),
        **more,
    }


_check_schema = Draft202012Validator.check_schema


@cache
def _checked(schema: str) -> None:
    _check_schema(json.loads(schema))


def _check_schema_once(schema: Any) -> None:
    """For clients, each of which checks every tool's schema anew: that takes longer than a payment."""
    _checked(json.dumps(schema))


@asynccontextmanager
async def connected(environ: Mapping[str, str], mode: Any = "auto", **client: Any) -> AsyncGenerator[Client]:
    """A real client connected to the server in memory. `mode` is `legacy` for the handshake era."""
    settings, redactor = _settings(environ)
    with patch.object(Draft202012Validator, "check_schema", _check_schema_once):
        async with (
            running_app(settings, redactor) as server,
            Client(server, mode=mode, **client) as connection,
        ):
            yield connection


async def call(client: Client, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A tool's structured result, after checking that the text half says the same."""
    result = await client.call_tool(tool, dict(arguments))
    structured: dict[str, Any] = result.structured_content
    (text,) = result.content
    assert json.loads(text.text) == structured  # type: ignore[union-attr]
    assert result.is_error is bool(structured["error_code"])
    return structured


class Process:
    """The server as a client starts it, spoken to in lines of JSON-RPC."""

    def __init__(self, process: anyio.abc.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self._stdin = process.stdin
        self._stdout = BufferedByteReceiveStream(process.stdout)
        self._stderr = process.stderr
        self._last_id = 0
        self.lines: list[str] = []
        self.stderr = ""

    async def send_line(self, line: str | bytes) -> None:
        """One raw line to stdin."""
        await self.send_raw((line.encode() if isinstance(line, str) else line) + b"\n")

    async def send_raw(self, data: bytes) -> None:
        """Bytes to stdin, whole lines or not."""
        await self._stdin.send(data)

    async def send(self, method: str, params: Mapping[str, Any] | None = None, *, notify: bool = False) -> int:
        """One message; the id of the request."""
        self._last_id += 1
        # Others may send while this one waits for the pipe.
        number = self._last_id
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            message["params"] = params
        if not notify:
            message["id"] = number
        await self.send_line(json.dumps(message))
        return number

    async def receive(self) -> dict[str, Any]:
        """The next message on stdout, which has to be JSON."""
        with anyio.fail_after(LIMIT_SECONDS):
            line = (await self._stdout.receive_until(b"\n", LINE_BYTES)).decode()
        self.lines.append(line)
        return json.loads(line)

    async def ask(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer to a request, notifications on the way left out."""
        number = await self.send(method, params)
        while True:
            message = await self.receive()
            if message.get("id") == number and "method" not in message:
                return message

    async def initialize(
        self, version: str = "2025-11-25", capabilities: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The handshake."""
        answer = await self.ask(
            "initialize",
            {
                "protocolVersion": version,
                "capabilities": capabilities or {},
                "clientInfo": {"name": "test", "version": "1"},
            },
        )
        await self.send("notifications/initialized", notify=True)
        return answer

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """A tool's structured result in the handshake era."""
        answer = await self.ask("tools/call", {"name": tool, "arguments": arguments})
        return answer["result"]["structuredContent"]

    async def close_stdin(self) -> None:
        """Hang up, as a client does that is done."""
        await self._stdin.aclose()

    async def end(self) -> int:
        """Wait for the process to end; its exit code. What it wrote is in `stderr` and `rest`."""
        with anyio.fail_after(LIMIT_SECONDS):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._drain_stderr)
                self.rest = await self._drain_stdout()
                # MCP: nothing but the protocol is on stdout.
                assert all(json.loads(line)["jsonrpc"] == "2.0" for line in self.rest.splitlines())
                return await self.process.wait()
        raise AssertionError("the process did not end")

    async def _drain_stdout(self) -> str:
        data = b""
        try:
            while True:
                data += await self._stdout.receive()
        except anyio.EndOfStream:
            return data.decode()

    async def _drain_stderr(self) -> None:
        async for chunk in self._stderr:
            self.stderr += chunk.decode(errors="replace")


class PipedServer:
    """Support: both ends of the pipes of a server that runs in this process, as a process has them."""

    returncode = 0

    def __init__(self) -> None:
        self.reads, ours_out = os.pipe()
        ours_in, self.writes = os.pipe()
        self.stdin, self.stdout, self.stderr = _PipeEnd(ours_out), _PipeEnd(ours_in), _PipeEnd(ours_in)


class _PipeEnd:
    def __init__(self, fd: int) -> None:
        self._fd = fd

    async def send(self, data: bytes) -> None:
        await anyio.to_thread.run_sync(lambda: _write_all(self._fd, data), abandon_on_cancel=True)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        data = await anyio.to_thread.run_sync(os.read, self._fd, max_bytes, abandon_on_cancel=True)
        if not data:
            raise anyio.EndOfStream
        return data

    async def aclose(self) -> None:
        os.close(self._fd)


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


@asynccontextmanager
async def wired(environ: Mapping[str, str], *, door: bool = False) -> AsyncGenerator[Process]:
    """The server of this process on pipes, in lines of JSON-RPC: as `spawned`, without the start of an interpreter.

    What belongs to a process of its own is not here: signals, stderr, the exit.
    """
    settings, redactor = _settings(environ)
    pipes = PipedServer()
    wire = Wire(pipes.reads, pipes.writes)
    wire.start()

    async def serve() -> None:
        handover = await anyio.to_thread.run_sync(_open_door(environ, wire).serve) if door else Handover()
        if handover is not None:
            async with running_app(settings, redactor) as server:
                await serve_stdio(server, partial(redact_line, redactor), wire, handover)

    try:
        with patch("blikk_mcp.transports.stdio.exit_soon"):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(serve)
                try:
                    yield Process(pipes)  # type: ignore[arg-type]
                finally:
                    await pipes.stdin.aclose()
    finally:
        # After a failure, too: a thread that still reads would keep the tests' process from its end.
        os.close(pipes.reads)
        os.close(pipes.writes)
        await pipes.stdout.aclose()


def _open_door(environ: Mapping[str, str], wire: Wire) -> FrontDoor:
    settings = door_settings(environ)
    answers = read_answers(settings) if settings else None
    assert answers is not None
    return FrontDoor(wire, answers)


def _settings(environ: Mapping[str, str]) -> tuple[Settings | SettingsError, Redactor]:
    try:
        settings = read_settings(dict(environ))
    except SettingsError as error:
        return error, redactor_of(*raw_secrets(environ))
    return settings, redactor_of(*settings.secrets)


def inherited() -> dict[str, str]:
    """What a program needs of our own environment to start."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "COVERAGE_PROCESS_START") if name in os.environ}


@asynccontextmanager
async def spawned(environ: Mapping[str, str], *arguments: str, folder: Path | None = None) -> AsyncGenerator[Process]:
    """The real process, with nothing of our own environment but what a program needs to start."""
    process = await anyio.open_process(
        [sys.executable, "-m", "blikk_mcp.cli", *arguments], env={**inherited(), **environ}, cwd=folder
    )
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
        with anyio.CancelScope(shield=True):
            await process.aclose()


def blikk_mcp(
    *arguments: str,
    environ: dict[str, str] | None = None,
    cwd: Path | None = None,
    encoding: str = "utf-8",
    given: str = "",
) -> subprocess.CompletedProcess[str]:
    """A command as a person runs it, to its end."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "blikk_mcp.cli", *arguments],
        env={**kept, **(environ or {})},
        cwd=cwd,
        capture_output=True,
        encoding=encoding,
        input=given,
        timeout=COMMAND_SECONDS,
        check=False,
    )
