"""Servers that are stopped in mid-create and go on later, when others gave them up: one request all the same."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest

from blikk_sandbox.running import RunningSandbox
from tests.fleet.servers import requests_arrived, start
from tests.fleet.wire import CLAIM, COMMIT, Wire, wired
from tests.sandbox_control import control, received
from tests.server.running import PAYMENT, Process

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MAX_ASKED = 10
"""A call waits for another one's outcome for 10 s, and gives it up after 30 s."""

OTHER = {**PAYMENT, "idempotency_key": "order-0002"}

WAITS, WAIT_SECONDS = 2, 20
"""Two of these are the 40 s for which a server is stopped: longer than the others believe in a sender."""


@pytest.fixture
async def wire(environ: dict[str, str]) -> AsyncIterator[Wire]:
    """The way of the server that will be stopped; the others have their own."""
    async with wired(environ["BLIKK_LEDGER"]) as running:
        yield running


async def stop_in(server: Process, wire: Wire, *statements: bytes, sandbox: RunningSandbox) -> int:
    """Ask a server to pay, and stop it once these have reached the database; the call's id."""
    wire.fall_silent_after(*statements)
    call = await server.send("tools/call", {"name": "create_payment", "arguments": dict(PAYMENT)})
    with anyio.fail_after(20):
        await wire.silent.wait()
    assert received(sandbox) == []
    server.process.send_signal(signal.SIGSTOP)
    wire.speak()
    return call


async def wait_40_seconds(server: Process, payment_id: str) -> None:
    """Let a server that goes on wait for a payment that nobody approves."""
    for _ in range(WAITS):
        still = {"payment_id": payment_id, "wait_seconds": WAIT_SECONDS, "human_informed": True}
        assert (await server.call("await_payment", still))["outcome"] == "needs_human"


async def go_on(server: Process, call: int) -> dict[str, Any]:
    """Let a server that was stopped go on; what it answers."""
    server.process.send_signal(signal.SIGCONT)
    while (message := await server.receive()).get("id") != call:
        pass
    return message["result"]["structuredContent"]


async def asked_until_known(server: Process) -> dict[str, Any]:
    """The first answer that is more than *pending*, or that there is no getting at the ledger."""
    for _ in range(MAX_ASKED):
        result = await server.call("create_payment", dict(PAYMENT))
        if result["outcome"] != "pending" and result["error_code"] != "ledger_unavailable":
            return result
    raise AssertionError("nobody gave up")


async def test_a_server_that_is_stopped_in_its_transaction_is_soon_passed_by_and_sends_nothing(
    environ: dict[str, str], wire: Wire, sandbox: RunningSandbox
) -> None:
    """It holds the one lock. The database ends its transaction after 10 s; whoever is quicker then pays."""
    async with AsyncExitStack() as stack:
        stopped, other = await start(stack, {**environ, "BLIKK_LEDGER": wire.address}, environ)
        call = await stop_in(stopped, wire, CLAIM, sandbox=sandbox)
        refused = await other.call("create_payment", OTHER)
        assert (refused["outcome"], refused["error_code"]) == ("refused", "ledger_unavailable")
        made = await asked_until_known(other)
        assert (made["outcome"], made["replayed"]) == ("needs_human", False)
        late = await go_on(stopped, call)
    assert (late["payment_id"], late["replayed"]) == (made["payment_id"], True)
    assert len(received(sandbox)) == 1


async def test_a_server_that_is_stopped_for_40_s_between_its_claim_and_its_request_sends_nothing_when_it_goes_on(
    environ: dict[str, str], wire: Wire, sandbox: RunningSandbox
) -> None:
    """The others call it unknown after 30 s, and only its own word that nothing left frees the key."""
    async with AsyncExitStack() as stack:
        stopped, other = await start(stack, {**environ, "BLIKK_LEDGER": wire.address}, environ)
        call = await stop_in(stopped, wire, CLAIM, COMMIT, sandbox=sandbox)
        waited_for = await other.call("create_payment", OTHER)
        await wait_40_seconds(other, waited_for["payment_id"])
        assert (await other.call("create_payment", dict(PAYMENT)))["outcome"] == "unknown"
        late = await go_on(stopped, call)
        assert (late["outcome"], late["error_code"]) == ("refused", "blikk_unavailable")
        assert len(received(sandbox)) == 1, "of the payment that was waited for"
        made = await other.call("create_payment", dict(PAYMENT))
    assert (made["outcome"], made["replayed"]) == ("needs_human", False)
    assert len(received(sandbox)) == 2


async def test_a_server_that_is_stopped_for_40_s_while_it_waits_for_its_answer_never_asks_again(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """The answer's time is over when it goes on: it says what the others said after 30 s."""
    async with AsyncExitStack() as stack:
        stopped, other = await start(stack, environ, environ)
        waited_for = await other.call("create_payment", OTHER)
        control(sandbox, "faults", {"fault": "slow", "operation": "create", "seconds": 1})
        call = await stopped.send("tools/call", {"name": "create_payment", "arguments": dict(PAYMENT)})
        await requests_arrived(sandbox, 2)
        stopped.process.send_signal(signal.SIGSTOP)
        await wait_40_seconds(other, waited_for["payment_id"])
        assert (await other.call("create_payment", dict(PAYMENT)))["outcome"] == "unknown"
        assert (await go_on(stopped, call))["outcome"] == "unknown"
        assert (await other.call("create_payment", dict(PAYMENT)))["outcome"] == "unknown"
    assert len(received(sandbox)) == 2
