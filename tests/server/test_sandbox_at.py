"""Servers that pay into a sandbox: their own, which says where it is controlled, or one that several of them share."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from blikk_mcp.sandboxed import loopback_origin, own_sandbox, sandbox_at
from blikk_mcp.settings.values import SettingsError
from blikk_sandbox.running import RunningSandbox, run_sandbox_in_thread
from tests.sandbox_control import control, paid, received
from tests.server.in_process import blikk_mcp
from tests.server.in_process_server import serve, tool_call
from tests.server.running import PAYMENT, Process, spawned

pytestmark = pytest.mark.anyio

CONTROL_URL = re.compile(r"http://127\.0\.0\.1:[0-9]+/_sandbox")


async def one_call(environ: dict[str, str], where: str, tool: str, arguments: Any) -> tuple[dict[str, Any], Process]:
    """What a client sees that starts a process for every call, and the process, ended."""
    async with spawned(environ, "serve", "--sandbox-at", where) as server:
        await server.initialize()
        result = await server.call(tool, arguments)
        await server.close_stdin()
        assert await server.end() == 0
    return result, server


@pytest.mark.slow
async def test_processes_started_for_every_call_see_one_bank_and_one_ledger(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    """Create, look and pay again in three processes; no key is set, and one payment is made."""
    home = {"XDG_STATE_HOME": str(tmp_path)}
    created, _ = await one_call(home, sandbox.base_url, "create_payment", PAYMENT)
    assert created["environment"] == "sandbox"
    control(sandbox, f"payments/{created['payment_id']}/approve", {})
    control(sandbox, "clock", {"advance_seconds": 5})
    seen, _ = await one_call(home, sandbox.control_url, "get_payment_status", {"idempotency_key": "order-0001"})
    assert (seen["outcome"], seen["payment_id"]) == ("paid", created["payment_id"])
    origin = sandbox.base_url.removesuffix("/paymentchannel")
    again, server = await one_call(home, origin, "create_payment", PAYMENT)
    assert (again["replayed"], again["outcome"]) == (True, "paid")
    assert (len(received(sandbox)), paid(sandbox)) == (1, [created["payment_id"]])
    assert sandbox.api_key not in server.stderr + "".join(server.lines)


def test_they_share_the_ledger_that_is_named(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`BLIKK_LEDGER` means what it always means."""
    ledger = tmp_path / "shared" / "ledger.sqlite3"
    environ = {"BLIKK_LEDGER": str(ledger), "XDG_STATE_HOME": str(tmp_path / "unused")}
    origin = loopback_origin(sandbox.base_url)
    for replayed in (False, True):
        served = serve(monkeypatch, environ, [tool_call("create_payment", **PAYMENT)], sandbox_at=origin)
        assert served.result["replayed"] is replayed
    assert ledger.exists()
    assert not (tmp_path / "unused").exists()


@pytest.mark.slow
async def test_a_new_bank_on_the_same_port_begins_with_an_empty_ledger(tmp_path: Path) -> None:
    """A developer's key of yesterday must not answer for a payment that today's bank has never seen."""
    home = {"XDG_STATE_HOME": str(tmp_path)}
    with run_sandbox_in_thread(seed=1) as sandbox:
        port = int(sandbox.base_url.split(":")[2].split("/")[0])
        first, _ = await one_call(home, sandbox.base_url, "create_payment", PAYMENT)
        state = control(sandbox, "state")
    with run_sandbox_in_thread(port=port, seed=1) as sandbox:
        fresh, _ = await one_call(home, sandbox.base_url, "create_payment", PAYMENT)
        assert (first["replayed"], fresh["replayed"]) == (False, False)
        control(sandbox, "state", state, method="PUT")
        known, _ = await one_call(home, sandbox.base_url, "create_payment", PAYMENT)
        assert (known["replayed"], known["payment_id"]) == (True, first["payment_id"])


def test_the_real_world_is_left_alone(sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine set up for production: neither its key nor its address is used, and the key stays hidden."""
    key = "production-key-canary-0123456789"
    environ = {
        "BLIKK_API_KEY": key,
        "BLIKK_API_KEY_FILE": "/nowhere",
        "BLIKK_BASE_URL": "https://api.blikk.tech/paymentchannel",
        "XDG_STATE_HOME": str(tmp_path),
    }
    call = tool_call("create_payment", **{**PAYMENT, "purpose": key})
    served = serve(monkeypatch, environ, [call], sandbox_at=loopback_origin(sandbox.base_url))
    assert served.result["environment"] == "sandbox"
    assert key not in served.log + "".join(served.lines)


@pytest.mark.slow
@pytest.mark.parametrize("log", [{}, {"BLIKK_LOG_FORMAT": "text"}, {"BLIKK_API_KEY": "127.0.0.1-paymentchannel"}])
async def test_its_own_sandbox_says_where_it_is_controlled(log: dict[str, str]) -> None:
    """On stderr, in either form of log, so that a developer can ask for faults."""
    async with spawned(log, "serve", "--sandbox") as server:
        await server.initialize()
        assert server.process.stderr is not None
        said = ""
        while not CONTROL_URL.search(said):
            said += (await server.process.stderr.receive()).decode()
    (line,) = [line for line in said.splitlines() if "_sandbox" in line]
    assert CONTROL_URL.search(line)
    if not log:
        assert json.loads(line)["event"] == "sandbox"


async def test_the_control_address_of_an_own_sandbox_works() -> None:
    """So that a developer can see what the bank received."""
    async with own_sandbox({}) as own:
        record = await anyio.to_thread.run_sync(control, RunningSandbox("", "", own.control_url), "record")
    assert (record["payments"], record["received"]) == ([], [])


@pytest.mark.slow
async def test_the_control_address_it_says_works(tmp_path: Path) -> None:
    """Asked while the server runs: the payment that was just made is in the bank's record."""
    async with spawned({}, "serve", "--sandbox") as server:
        assert server.process.stderr is not None
        said = ""
        while not (found := CONTROL_URL.search(said)):
            said += (await server.process.stderr.receive()).decode()
        await server.initialize()
        created = await server.call("create_payment", PAYMENT)
        own = RunningSandbox("", "", found[0])
        record = await anyio.to_thread.run_sync(control, own, "record")
        assert [payment["id"] for payment in record["payments"]] == [created["payment_id"]]
        await server.close_stdin()
        assert await server.end() == 0


def test_where_no_sandbox_answers_every_call_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server starts and lists its tools; a wrong address is a wrong setting."""
    with run_sandbox_in_thread() as gone:
        pass
    call, environ = tool_call("create_payment", **PAYMENT), {"XDG_STATE_HOME": str(tmp_path)}
    result = serve(monkeypatch, environ, [call], sandbox_at=loopback_origin(gone.base_url)).result
    assert (result["error_code"], result["environment"]) == ("not_configured", "sandbox")
    assert "--sandbox-at" in result["error_message"]
    assert "blikk-mcp sandbox" in result["error_message"]


def test_a_sandbox_that_hangs_holds_a_start_up_for_seconds_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's own patience with `initialize` is a minute at most."""
    asked: list[float] = []

    def hanging(host: str, port: int, timeout: float) -> None:
        asked.append(timeout)
        raise TimeoutError

    monkeypatch.setattr("blikk_mcp.sandboxed.HTTPConnection", hanging)
    assert isinstance(sandbox_at("http://127.0.0.1:8085", {}).settings, SettingsError)
    assert len(asked) == 1
    assert 1 <= asked[0] <= 5


WRONG_INDEXES = {
    "another status": (404, b'{"api_key":"sandbox-key-0123456789","bank_id":"0123456789abcdef"}'),
    "a redirect": (302, b'{"api_key":"sandbox-key-0123456789","bank_id":"0123456789abcdef"}'),
    "no JSON": (200, b"hello"),
    "a list": (200, b"[]"),
    "no key": (200, b'{"bank_id":"0123456789abcdef"}'),
    "no bank": (200, b'{"api_key":"sandbox-key-0123456789"}'),
    "a bank that is a path": (200, b'{"api_key":"sandbox-key-0123456789","bank_id":"../../../etc/ledger"}'),
    "a bank with more behind it": (200, b'{"api_key":"sandbox-key-0123456789","bank_id":"0123456789abcdef/x"}'),
    "too much of it": (200, b" " * 2_000_000 + b'{"api_key":"sandbox-key-0123456789","bank_id":"0123456789abcdef"}'),
}


@pytest.mark.parametrize("name", WRONG_INDEXES)
def test_what_is_no_sandbox_is_not_taken_for_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something else listens on that port; its words must not become a key, nor a file's name."""
    status, body = WRONG_INDEXES[name]
    asked: list[tuple[str, str]] = []

    class Connection:
        def __init__(self, *_: Any, **__: Any) -> None: ...

        def request(self, method: str, path: str) -> None:
            asked.append((method, path))

        def getresponse(self) -> Any:
            return SimpleNamespace(status=status, read=io.BytesIO(body).read)

        def close(self) -> None: ...

    monkeypatch.setattr("blikk_mcp.sandboxed.HTTPConnection", Connection)
    found = sandbox_at("http://127.0.0.1:8085", {})
    assert asked == [("GET", "/_sandbox")]
    assert isinstance(found.settings, SettingsError)
    assert [problem.name for problem in found.settings.problems] == ["--sandbox-at"]


@pytest.mark.parametrize(
    "address",
    [
        "https://api.blikk.tech/paymentchannel",
        "http://192.168.7.7:8085",
        "http://127.0.0.1.evil.example:8085",
        "http://evil.example:8085@127.0.0.1:1",
        "http://127.0.0.1:8085@evil.example",
        "http://127.0.0.1:8085/paymentchannel/../x",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:0",
        "http://127.0.0.1",
        "http://2130706433:8085",
        "https://127.0.0.1:8085",
        "file:///x",
        "",
    ],
)
def test_an_address_that_is_not_this_machine_is_refused(address: str) -> None:
    """Money of the sandbox is play money: no server elsewhere may be taken for one."""
    with pytest.raises(ValueError, match="address on this machine"):
        loopback_origin(address)


def test_a_refused_address_is_not_repeated() -> None:
    """It may hold anything: a password, or a key in the wrong place."""
    ended = blikk_mcp("serve", "--sandbox-at", "https://somebody:canary@example.is")
    assert ended.returncode == 2
    assert "address on this machine" in ended.stderr
    assert "canary" not in ended.stderr


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("http://127.0.0.1:8085/paymentchannel", "http://127.0.0.1:8085"),
        (" http://LOCALHOST:8085/_sandbox/ ", "http://localhost:8085"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_any_address_that_a_sandbox_prints_will_do(address: str, origin: str) -> None:
    """Base URL, control URL, or just the origin."""
    assert loopback_origin(address) == origin


def test_one_sandbox_at_a_time() -> None:
    """Its own or a running one."""
    assert blikk_mcp("serve", "--sandbox", "--sandbox-at", "http://127.0.0.1:8085").returncode == 2
