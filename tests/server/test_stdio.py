"""The process on stdio: what it says, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from blikk_mcp.transports import stdio
from blikk_sandbox.running import RunningSandbox
from tests.server.running import LIMIT_SECONDS, MODERN_META, PAYMENT, environment, inherited, spawned, wired

pytestmark = pytest.mark.anyio


@pytest.fixture
def environ(sandbox: RunningSandbox, tmp_path: Path) -> dict[str, str]:
    return environment(sandbox, tmp_path)


async def test_eof_before_the_first_message_ends_it_with_exit_code_0(environ: dict[str, str]) -> None:
    """EOF, before the first message too, ends the process with exit 0."""
    async with spawned(environ) as server:
        await server.close_stdin()
        assert await server.end() == 0
        assert server.rest == ""


@pytest.mark.slow
async def test_eof_in_the_middle_of_a_wait_ends_it_with_exit_code_0(environ: dict[str, str]) -> None:
    """A client that hangs up is not waited for."""
    async with spawned(environ) as server:
        await server.initialize()
        created = await server.call("create_payment", PAYMENT)
        await server.send(
            "tools/call",
            {"name": "await_payment", "arguments": {"payment_id": created["payment_id"], "human_informed": True}},
        )
        await server.close_stdin()
        assert await server.end() == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
async def test_a_signal_ends_it_cleanly(environ: dict[str, str], number: signal.Signals, code: int) -> None:
    """SIGTERM and SIGINT end the process; the exit code says which, and no traceback is written."""
    async with spawned(environ) as server:
        await server.initialize()
        server.process.send_signal(number)
        assert await server.end() == code
        assert "Traceback" not in server.stderr


@pytest.mark.parametrize(
    "method", ["SIGTERM in mid-wait", pytest.param("SIGTERM before the handshake", marks=pytest.mark.slow)]
)
async def test_a_signal_at_any_moment_ends_it(environ: dict[str, str], method: str) -> None:
    """Neither a running call nor a missing handshake holds the process."""
    async with spawned(environ) as server:
        if "wait" in method:
            await server.initialize()
            created = await server.call("create_payment", PAYMENT)
            arguments = {"payment_id": created["payment_id"], "human_informed": True}
            await server.send("tools/call", {"name": "await_payment", "arguments": arguments})
            await server.ask("ping")
        else:
            # A line that gets no answer; the process is up when it has logged nothing and still lives.
            await server.send_line("not json")
            await server.ask("ping")
        server.process.send_signal(signal.SIGTERM)
        assert await server.end() == 143


GARBAGE = (
    b"not json",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe\xfd",
    b'{"jsonrpc":"2.0"}',
    b"[" * 5000,
    b'{"jsonrpc":"1.0","id":"other version"}',
)


async def test_garbage_on_stdin_does_not_end_it(environ: dict[str, str]) -> None:
    """A line that is no message is dropped, before and after the handshake."""
    async with wired(environ, door=True) as server:
        for garbage in GARBAGE:
            await server.send_line(garbage)
        await server.initialize()
        for garbage in GARBAGE:
            await server.send_line(garbage)
            assert "result" in await server.ask("ping")
        assert "result" in await server.ask("tools/list")


async def test_a_line_beyond_the_bound_is_dropped_and_the_next_one_served(environ: dict[str, str]) -> None:
    """Every message has a bound; what is longer costs neither memory nor the connection."""
    async with wired(environ, door=True) as server:
        await server.initialize()
        await server.send_line(b'{"jsonrpc":"2.0","id":7,"method":"ping","params":{"x":"' + b"a" * 5_000_000 + b'"}}')
        assert "result" in await server.ask("ping")


@pytest.mark.parametrize("meta", [MODERN_META, None], ids=["modern probe", "bare probe"])
async def test_a_leading_probe_leaves_the_choice_of_era_to_the_next_request(
    environ: dict[str, str], meta: dict[str, Any] | None
) -> None:
    """MCP 2026-07-28 probes with server/discover; clients that fall back to `initialize` must not find a dead stream."""
    async with wired(environ, door=True) as server:
        probe = await server.ask("server/discover", {"_meta": meta} if meta else {})
        assert ("result" in probe) is (meta is not None)
        answer = await server.initialize("2025-06-18")
        assert answer["result"]["protocolVersion"] == "2025-06-18"
        assert "result" in await server.ask("tools/list")


async def test_a_probe_followed_by_modern_requests_is_served_in_the_modern_era(environ: dict[str, str]) -> None:
    """MCP 2026-07-28: every request brings its own version and capabilities."""
    async with wired(environ, door=True) as server:
        assert (
            "2026-07-28" in (await server.ask("server/discover", {"_meta": MODERN_META}))["result"]["supportedVersions"]
        )
        listed = await server.ask("tools/list", {"_meta": MODERN_META})
        assert listed["result"]["resultType"] == "complete"


@pytest.mark.slow
async def test_stdout_holds_nothing_but_json_rpc(environ: dict[str, str]) -> None:
    """MCP's stdio transport: the server must not write anything else to stdout."""
    async with spawned({**environ, "BLIKK_LOG_LEVEL": "debug"}) as server:
        await server.initialize()
        await server.call("create_payment", PAYMENT)
        await server.close_stdin()
        await server.end()
        messages = [json.loads(line) for line in [*server.lines, *server.rest.splitlines()]]
        assert all(message["jsonrpc"] == "2.0" for message in messages)


async def test_an_unknown_tool_is_a_protocol_error_that_does_not_repeat_the_name(environ: dict[str, str]) -> None:
    """MCP: an unknown tool is -32602; our rule: the caller's text is not echoed."""
    async with wired(environ, door=True) as server:
        await server.initialize()
        answer = await server.ask("tools/call", {"name": "delete_everything", "arguments": {}})
        assert answer["error"]["code"] == -32602
        assert "delete_everything" not in json.dumps(answer)


SERVING_WITH_A_CHILD = """
import subprocess, sys
from blikk_mcp import serving
from blikk_mcp.commands.serve import serve

def start_a_child(wire, handover, stderr, environ, **more):
    assert "BLIKK_API_KEY" in environ
    child = "import os, sys; sys.exit(len([name for name in os.environ if name.startswith('BLIKK_')]))"
    return subprocess.run([sys.executable, "-I", "-c", child], check=False).returncode

serving.serve_mcp = start_a_child
sys.exit(serve())
"""


def test_the_key_is_not_in_the_environment_of_children(environ: dict[str, str]) -> None:
    """The key leaves the environment once it is taken; /proc still shows what the process was started with."""
    others = {**environ, "BLIKK_FRONT_DOOR": "off"}
    ended = subprocess.run(
        [sys.executable, "-c", SERVING_WITH_A_CHILD], env={**inherited(), **others}, timeout=LIMIT_SECONDS, check=False
    )
    assert ended.returncode == len(others) - 1


async def test_what_was_asked_for_before_the_input_ended_is_answered(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`printf … | blikk-mcp`: a payment that was made is told, though nobody will ask again."""
    monkeypatch.setattr(stdio, "LAST_ANSWERS_SECONDS", LIMIT_SECONDS)
    async with wired(environ) as server:
        await server.initialize()
        number = await server.send("tools/call", {"name": "create_payment", "arguments": PAYMENT})
        await server.close_stdin()
        monkeypatch.setattr(server.process, "stdin", AsyncMock())  # `wired` closes it at its end, too
        while (message := await server.receive()).get("id") != number:
            pass
    assert message["result"]["structuredContent"]["outcome"] == "needs_human"


async def test_only_a_leading_probe_is_answered_for_itself(environ: dict[str, str]) -> None:
    """In the middle of a conversation of the handshake era there is no such method."""
    async with wired(environ) as server:
        await server.initialize()
        assert "result" in await server.ask("ping")
        assert "error" in await server.ask("server/discover", {"_meta": MODERN_META})
        assert "result" in await server.ask("tools/list")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_while_modules_load_ends_it_with_its_code(number: signal.Signals, code: int) -> None:
    """Seen: SIGTERM in the middle of an import became a RuntimeError, and the exit code 1."""
    program = f"""
import signal, sys
from blikk_payments.system.signals import exit_on_signals
class Loading:
    def __set_name__(self, owner, name):
        signal.raise_signal({int(number)})
exit_on_signals()
try:
    type("Module", (), {{"part": Loading()}})
except BaseException:
    sys.exit(1)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=LIMIT_SECONDS, check=False)
    assert (ended.returncode, ended.stderr) == (code, b"")
