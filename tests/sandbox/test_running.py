"""The sandbox as a server: it listens when it says so, ends when it is told to, and leaves the process alone."""

from __future__ import annotations

import asyncio
import io
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import AsyncExitStack, redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import pytest
import uvicorn.server

from blikk_sandbox import RunningSandbox, run_sandbox, run_sandbox_in_thread, running
from blikk_sandbox.person import PersonStuckError, approve, approve_now
from tests.missing import unavailable
from tests.sandbox.harness import payment_body

pytestmark = pytest.mark.anyio


def client_of(sandbox: RunningSandbox) -> httpx.AsyncClient:
    return httpx.AsyncClient(headers={"Api-Key": sandbox.api_key}, verify=False)


async def waiting_link(sandbox: RunningSandbox, client: httpx.AsyncClient) -> str:
    payment = (await client.post(f"{sandbox.base_url}/payment", json=payment_body())).json()
    await client.post(f"{sandbox.control_url}/clock", json={"advance_seconds": 2})
    return str((await client.get(f"{sandbox.base_url}/payment/{payment['id']}")).json()["redirectUrl"])


async def test_it_listens_on_a_free_port_of_loopback_with_a_key_of_its_own() -> None:
    """Port 0, and no settings needed."""
    async with run_sandbox() as first, run_sandbox() as second:
        assert first.base_url.startswith("http://127.0.0.1:")
        assert first.base_url.endswith("/paymentchannel")
        assert first.control_url.endswith("/_sandbox")
        assert first.base_url != second.base_url
        assert len(first.api_key) >= 40
        assert first.api_key != second.api_key
        async with client_of(first) as client:
            assert (await client.get(f"{first.base_url}/openapi.json")).status_code == 200
            assert (await client.get(f"{second.base_url}/openapi.json")).status_code == 401


async def test_its_repr_holds_no_key() -> None:
    """Reprs end in logs."""
    async with run_sandbox() as sandbox:
        assert sandbox.api_key not in repr(sandbox)


async def test_given_keys_are_channels_in_their_order() -> None:
    """The first one is the one it shows."""
    async with run_sandbox(api_keys=["first", "second"]) as sandbox, client_of(sandbox) as client:
        assert sandbox.api_key == "first"
        payment = (await client.post(f"{sandbox.base_url}/payment", json=payment_body())).json()
        url = f"{sandbox.base_url}/payment/{payment['id']}"
        assert (await client.get(url, headers={"Api-Key": "second"})).status_code == 403


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.is", ""])
async def test_it_does_not_listen_beyond_this_machine(host: str) -> None:
    """Its control API has no key."""
    with pytest.raises(ValueError, match="loopback"):
        async with run_sandbox(host=host):
            pass


async def test_it_listens_beyond_this_machine_when_told_so_in_so_many_words() -> None:
    """For containers."""
    async with run_sandbox(host="0.0.0.0", allow_remote=True) as sandbox:
        assert urlsplit(sandbox.base_url).port


async def test_it_listens_on_ipv6_too() -> None:
    """Where this machine has it."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        unavailable("no IPv6 loopback")
    async with run_sandbox(host="::1") as sandbox, client_of(sandbox) as client:
        assert sandbox.base_url.startswith("http://[::1]:")
        assert await approve(await waiting_link(sandbox, client)) == "Payment approved"


async def test_a_port_that_is_taken_is_an_error() -> None:
    """Not a sandbox that nobody can reach."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        async with run_sandbox(port=taken.getsockname()[1]):
            pass


async def test_it_ends_quickly_though_clients_hold_on() -> None:
    """Less than a second, with an idle connection and a slow answer under way."""
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(run_sandbox())
        client = client_of(sandbox)
        await client.post(f"{sandbox.control_url}/faults", json={"fault": "slow", "seconds": 600})

        async def wait_in_vain() -> None:
            with pytest.raises(httpx.TransportError):
                await client.post(f"{sandbox.base_url}/payment", json=payment_body())

        waiting = asyncio.create_task(wait_in_vain())
        while not (await client.get(f"{sandbox.control_url}/record")).json()["received"]:
            pass
        began = time.monotonic()
        await stack.aclose()
        assert time.monotonic() - began < 1
        await waiting
        await client.aclose()


async def test_nothing_listens_after_the_end() -> None:
    """The port is free again."""
    async with run_sandbox() as sandbox:
        port = urlsplit(sandbox.base_url).port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port or 0), timeout=1)


async def test_an_error_in_the_block_comes_out_as_it_is() -> None:
    """Not wrapped in a group."""
    with pytest.raises(ZeroDivisionError):
        async with run_sandbox():
            raise ZeroDivisionError


async def test_the_signals_of_the_process_stay_as_they_were() -> None:
    """The MCP server that embeds it has handlers of its own."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with run_sandbox():
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


async def test_it_prints_nothing() -> None:
    """stdout belongs to JSON-RPC, and a defect of a client is no news for stderr."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        async with run_sandbox() as sandbox, client_of(sandbox) as client:
            await client.post(f"{sandbox.base_url}/payment", json=payment_body())
            await client.post(f"{sandbox.control_url}/faults", json={"fault": "answer_lost_after_commit"})
            with pytest.raises(httpx.TransportError):
                await client.post(f"{sandbox.base_url}/payment", json=payment_body())
    assert (out.getvalue(), err.getvalue()) == ("", "")


def test_it_runs_in_a_thread_for_callers_without_a_loop() -> None:
    """For synchronous tests, and for demos."""
    with run_sandbox_in_thread() as sandbox, httpx.Client(verify=False) as client:
        client.headers["Api-Key"] = sandbox.api_key
        url = f"{sandbox.base_url}/payment"
        payment = client.post(url, json=payment_body()).json()
        client.post(f"{sandbox.control_url}/clock", json={"advance_seconds": 2})
        link = client.get(f"{url}/{payment['id']}").json()["redirectUrl"]
        assert approve_now(link) == "Payment approved"
    assert "blikk-sandbox" not in [thread.name for thread in threading.enumerate()]


def test_a_thread_that_cannot_start_says_why() -> None:
    """Not a time-out."""
    with pytest.raises(ValueError, match="loopback"), run_sandbox_in_thread(host="192.168.1.5"):
        pass


def test_importing_the_package_is_cheap() -> None:
    """The MCP server starts in every IDE window; the sandbox only when it is asked for."""
    probe = "import sys, blikk_sandbox; print([m for m in ('starlette', 'uvicorn', 'pydantic') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("decision", "heading"),
    [("approve", "Payment approved"), ("reject", "Payment rejected"), ("cancel", "Payment cancelled")],
)
async def test_a_person_can_be_played_through_the_page(decision: str, heading: str) -> None:
    """The demo's person uses the page's own form."""
    async with run_sandbox() as sandbox, client_of(sandbox) as client:
        assert await approve(await waiting_link(sandbox, client), decision=decision) == heading


async def test_a_person_without_the_button_is_stuck_and_says_where() -> None:
    """An expired link, or a decision that the page does not offer."""
    async with run_sandbox() as sandbox, client_of(sandbox) as client:
        link = await waiting_link(sandbox, client)
        with pytest.raises(PersonStuckError, match="approve, reject, cancel"):
            await approve(link, decision="complete")
        await client.post(f"{sandbox.control_url}/clock", json={"advance_seconds": 200})
        with pytest.raises(PersonStuckError) as stuck:
            await approve(link)
        assert (stuck.value.status, stuck.value.heading) == (410, "This link has expired")


@pytest.mark.parametrize("url", ["https://127.0.0.1/x", "http://bank.example/x", "file:///etc/passwd", "http:///x"])
async def test_a_person_opens_pages_of_this_machine_only(url: str) -> None:
    """A link from elsewhere is never fetched by us."""
    with pytest.raises(ValueError, match="this machine"):
        await approve(url)


async def test_its_date_header_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients compare their clocks with it, so it is not the date of the start for ever."""
    now = 1_772_452_800.0  # 2 March 2026, 12:00 UTC
    assert running.DATE_SECONDS <= 1  # the header counts in seconds
    monkeypatch.setattr(running, "DATE_SECONDS", 0.01)
    monkeypatch.setattr(uvicorn.server, "time", SimpleNamespace(time=lambda: now))
    async with run_sandbox() as sandbox, client_of(sandbox) as client:

        async def date() -> str:
            return (await client.get(f"{sandbox.control_url}/clock")).headers["Date"]

        assert await date() == "Mon, 02 Mar 2026 12:00:00 GMT"
        now += 60
        with anyio.fail_after(10):
            while await date() != "Mon, 02 Mar 2026 12:01:00 GMT":
                pass


async def test_the_life_of_a_link_can_be_chosen_at_the_start() -> None:
    """`--link-seconds`, for the second link of an onboarding too; a life's own time still wins."""
    async with run_sandbox(link_seconds=500) as sandbox, client_of(sandbox) as client:
        link = await waiting_link(sandbox, client)
        await client.post(f"{sandbox.control_url}/clock", json={"advance_seconds": 490})
        assert (await client.get(link)).status_code == 200
        await client.post(f"{sandbox.control_url}/clock", json={"advance_seconds": 10})
        assert (await client.get(link)).status_code == 410
        await client.post(f"{sandbox.control_url}/lives", json={"life": "standard", "link_seconds": 5})
        link = await waiting_link(sandbox, client)
        await client.post(f"{sandbox.control_url}/clock", json={"advance_seconds": 5})
        assert (await client.get(link)).status_code == 410


async def test_what_a_proxy_would_say_is_not_believed() -> None:
    """Whoever can send a header could make the control API's links, or its peer, somebody else's."""
    async with run_sandbox() as sandbox, client_of(sandbox) as client:
        forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1", "X-Forwarded-Host": "evil.example"}
        answer = await client.get(sandbox.control_url, headers=forwarded)
    assert (answer.status_code, answer.json()["base_url"]) == (200, sandbox.base_url)
    assert "server" not in answer.headers


async def test_every_choice_at_the_start_is_the_sandboxs() -> None:
    """In the caller's loop and in a thread alike."""
    now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    chosen: dict[str, Any] = {
        "api_keys": ["first-key", "second-key"],
        "speed": 2.0,
        "clock": lambda: now,
        "configured_account": False,
        "life": "push",
        "link_seconds": 60.0,
        "seed": 5,
    }

    async def told(sandbox: RunningSandbox) -> tuple[Any, ...]:
        async with client_of(sandbox) as client:
            client.headers["Api-Key"] = "second-key"
            body = payment_body() | {"debtorBban": "051526123456"}
            await client.post(f"{sandbox.base_url}/payment", json=body)
            await client.post(f"{sandbox.control_url}/clock", json={"advance_seconds": 100})
            record = (await client.get(f"{sandbox.control_url}/record")).json()
        (entry,) = record["payments"]
        seconds = [(datetime.fromisoformat(step["at"]) - now).total_seconds() for step in entry["history"]]
        return sandbox.api_key, entry["channel"], entry["life"], record["now"], seconds, entry["id"]

    async with run_sandbox(**chosen) as sandbox:
        in_the_loop = await told(sandbox)
    with run_sandbox_in_thread(**chosen) as sandbox:
        assert await told(sandbox) == in_the_loop
    assert in_the_loop[:4] == ("first-key", 1, "push", "2026-03-02T12:01:40+00:00")
    assert in_the_loop[4] == pytest.approx([0, 0.2, 0.6, 60.6])
