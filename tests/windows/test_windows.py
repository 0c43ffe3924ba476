"""The server and its commands on another system: the Windows build of Python under Wine, which is no Windows; on Windows
and macOS, there.

Blikk is stood in for by the sandbox on this side. A program takes seconds to start under Wine, so each test asks much.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import anyio
import pytest

from blikk_sandbox.person import approve
from blikk_sandbox.running import RunningSandbox
from tests.sandbox_control import control, paid, received
from tests.server.running import PAYMENT
from tests.windows.environment import Place, place

pytestmark = pytest.mark.slow

LIMIT_SECONDS = 240


@pytest.fixture(scope="module")
def there() -> Place:
    """Another system's Python."""
    return place()


@pytest.fixture
def settings(sandbox: RunningSandbox) -> dict[str, str]:
    """Those of the sandbox; where the ledger lies is left to the server."""
    return {"BLIKK_API_KEY": sandbox.api_key, "BLIKK_BASE_URL": sandbox.base_url}


class Server:
    """The server as a client starts it there: all three streams are pipes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self._stdin: IO[bytes] = process.stdin
        self._stdout: IO[bytes] = process.stdout
        self._last_id = 0

    def send(self, method: str, params: Mapping[str, Any]) -> int:
        self._last_id += 1
        message = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params}
        self._stdin.write(json.dumps(message).encode() + b"\n")
        self._stdin.flush()
        return self._last_id

    def ask(self, method: str, params: Mapping[str, Any]) -> Any:
        number = self.send(method, params)
        while line := self._stdout.readline():
            message = json.loads(line)
            if message.get("id") == number:
                return message["result"]
        raise AssertionError("the server ended without an answer")

    def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = self.ask("tools/call", {"name": tool, "arguments": arguments})["structuredContent"]
        return result

    def initialize(self) -> Any:
        answer = self.ask(
            "initialize",
            {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
        )
        self._stdin.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
        self._stdin.flush()
        return answer

    def hang_up(self) -> int:
        self._stdin.close()
        return self.process.wait(LIMIT_SECONDS)


@contextmanager
def running(there: Place, settings: Mapping[str, str]) -> Generator[Server]:
    """A server there, ended at the end of the block."""
    with subprocess.Popen(
        [*there.command, "-m", "blikk_mcp.cli"],
        env={**there.environment, **settings},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield Server(process)
        finally:
            process.kill()


def run(there: Place, settings: Mapping[str, str], *arguments: str, code: int = 0) -> str:
    """What a program there says on stdout and stderr."""
    ended = subprocess.run(
        [*there.command, *arguments],
        env={**there.environment, **settings},
        input=b"",
        capture_output=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    said = (ended.stdout + ended.stderr).decode(errors="replace")
    assert ended.returncode == code, said[-1500:]
    return said


def command(there: Place, settings: Mapping[str, str], *arguments: str, code: int = 0) -> str:
    """What a command of ours says there."""
    return run(there, settings, "-m", "blikk_mcp.cli", *arguments, code=code)


def wait_until(is_so: Callable[[], object]) -> None:
    """Look again and again, a tenth of a second apart, until this is so."""
    until = time.monotonic() + LIMIT_SECONDS
    while not is_so():
        assert time.monotonic() < until, "it did not come to pass"
        threading.Event().wait(0.1)


def test_a_payment_is_made_and_paid_and_kept_in_the_profile(
    there: Place, settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    """Initialize, list, create, approve, paid; the ledger in the right folder; EOF ends it."""
    folder = there.state_home / "blikk-mcp"
    before = set(folder.glob("*.sqlite3"))
    with running(there, settings) as server:
        assert server.initialize()["serverInfo"]["name"] == "blikk-mcp"
        names = {tool["name"] for tool in server.ask("tools/list", {})["tools"]}
        assert names == {"create_payment", "get_payment_status", "await_payment", "list_payments"}
        created = server.call("create_payment", PAYMENT)
        assert (created["outcome"], created["human_action"]) == ("needs_human", "open_link")
        anyio.run(approve, created["approval_url"])
        ended = server.call(
            "await_payment", {"payment_id": created["payment_id"], "human_informed": True, "wait_seconds": 20}
        )
        assert (ended["outcome"], ended["final"]) == ("paid", True)
        assert server.hang_up() == 0
    assert paid(sandbox) == [created["payment_id"]]
    (kept,) = set(folder.glob("*.sqlite3")) - before
    assert kept.name.startswith("ledger-127.0.0.1-")
    told = command(there, settings, "ledger", "list", "--json")
    assert created["payment_id"] in told
    told = command(there, settings, "doctor")
    assert kept.name in told


def test_a_server_that_is_killed_while_it_sends_leaves_an_unknown_outcome(
    there: Place, settings: dict[str, str], sandbox: RunningSandbox
) -> None:
    """A claim whose process died while sending is unknown as soon as the process is known to be gone."""
    control(sandbox, "faults", {"fault": "slow", "operation": "create", "seconds": 60.0})
    with running(there, settings) as server:
        server.initialize()
        server.send("tools/call", {"name": "create_payment", "arguments": PAYMENT})
        wait_until(lambda: received(sandbox))
        server.process.kill()
        server.process.wait(LIMIT_SECONDS)
    with running(there, settings) as server:
        server.initialize()
        found = server.call("get_payment_status", {"idempotency_key": PAYMENT["idempotency_key"]})
        assert found["outcome"] == "unknown"
        again = server.call("create_payment", PAYMENT)
        assert (again["outcome"], again["replayed"]) == ("unknown", True)
        assert server.hang_up() == 0
    assert len(received(sandbox)) == 1


def test_processes_and_signals_are_told_as_they_are(there: Place) -> None:
    """`os.kill(pid, 0)` would end the child; a pid alone proves nothing; a signal wakes the loop."""
    said = run(there, {}, there.named(Path(__file__).with_name("there.py")))
    assert json.loads(said.splitlines()[0]) == {
        "here": [True, False],
        "a child": [True, False],
        "another with its pid": True,
        "it answered after it was asked about": "answered",
        "the child that ended": [False, True],
        "a pid of nobody": True,
        "woken by": "SIGINT",
        "a drive that is not there": "The ledger cannot be opened or created",
    }


def test_the_demo_pays(there: Place) -> None:
    """The README's first command, with a sandbox of its own there."""
    told = command(there, {}, "demo")
    assert '"paid"' in told or "paid" in told.splitlines()[-1]


CLAUDE = {
    "win32": r"AppData\Roaming\Claude\claude_desktop_config.json",
    "darwin": "Library/Application Support/Claude/claude_desktop_config.json",
}


def test_config_names_the_clients_file_and_a_command_there(there: Place) -> None:
    """Paths of that system, in JSON; a client that was never started has no folder yet."""
    told = command(there, {}, "config", "claude-desktop", "--sandbox")
    assert CLAUDE[there.platform] in told
    entry = json.loads(told[told.index("{") : told.rindex("}") + 1])["mcpServers"]["blikk"]
    assert entry["command"].endswith(".exe") is (there.platform == "win32")
    assert entry["args"][-1] == "--sandbox"
