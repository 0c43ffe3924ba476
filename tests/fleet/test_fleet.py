"""Three servers, as clients start them, on one PostgreSQL ledger: what one key and one limit mean to all of them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest

from blikk_sandbox.running import RunningSandbox
from tests.postgres import PostgresServer, running_postgres
from tests.sandbox_control import control, received
from tests.server.running import PAYMENT, Process, environment, spawned

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SERVERS = 3


async def start(stack: AsyncExitStack, environ: dict[str, str]) -> list[Process]:
    """Servers that have shaken hands."""
    servers = [await stack.enter_async_context(spawned(environ)) for _ in range(SERVERS)]
    for server in servers:
        await server.initialize()
    return servers


async def at_once(servers: list[Process], payments: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Each server's payments, one after the other, all servers at the same time."""
    results: list[dict[str, Any]] = []

    async def pay(server: Process, mine: list[dict[str, Any]]) -> None:
        for payment in mine:
            results.append(await server.call("create_payment", payment))

    async with anyio.create_task_group() as tasks:
        for server, mine in zip(servers, payments, strict=True):
            tasks.start_soon(pay, server, mine)
    return results


@pytest.fixture
def environ(sandbox: RunningSandbox, postgres: PostgresServer, tmp_path: Path) -> dict[str, str]:
    return {
        **environment(sandbox, tmp_path),
        "BLIKK_LEDGER": postgres.database(),
        "BLIKK_CREATES_PER_MINUTE": "1000",
        "BLIKK_DUPLICATE_WINDOW_MINUTES": "0",
    }


async def test_one_key_through_all_servers_at_once_is_one_post(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """The tables are made in the same race."""
    async with AsyncExitStack() as stack:
        servers = await start(stack, environ)
        results = await at_once(servers, [[dict(PAYMENT)]] * SERVERS)
    assert len(received(sandbox)) == 1
    assert len({result["payment_id"] for result in results}) == 1
    assert sorted(result["replayed"] for result in results) == [False, True, True]


async def test_forty_creates_that_race_for_the_last_room_never_exceed_the_limit(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """The day's limit is the fleet's."""
    environ["BLIKK_DAILY_LIMIT_ISK"] = "10000"
    payments = [{**PAYMENT, "idempotency_key": f"order-{number:04}"} for number in range(40)]
    async with AsyncExitStack() as stack:
        servers = await start(stack, environ)
        results = await at_once(servers, [payments[start::SERVERS] for start in range(SERVERS)])
    assert len(received(sandbox)) == 10
    assert sorted({result["error_code"] for result in results}) == ["", "over_limit"]
    assert sum(result["error_code"] == "" for result in results) == 10


async def test_a_server_that_is_killed_in_mid_create_leaves_an_unknown_outcome_to_the_others(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """Nobody sends it again."""
    control(sandbox, "faults", {"fault": "slow", "operation": "create", "seconds": 20})
    async with AsyncExitStack() as stack:
        doomed, *others = await start(stack, environ)
        await doomed.send("tools/call", {"name": "create_payment", "arguments": dict(PAYMENT)})
        with anyio.fail_after(20):
            while not received(sandbox):  # noqa: ASYNC110 - in another process, with no event to wait for
                await anyio.sleep(0.02)
        doomed.process.kill()
        await doomed.process.wait()
        for other in others:
            result = await other.call("create_payment", dict(PAYMENT))
            assert (result["outcome"], result["replayed"]) == ("unknown", True)
    assert len(received(sandbox)) == 1


async def test_while_the_database_is_stopped_nothing_is_sent_and_afterwards_nothing_is_lost(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """In words that speak of this call."""
    with running_postgres() as server:
        environ["BLIKK_LEDGER"] = server.database()
        async with AsyncExitStack() as stack:
            servers = await start(stack, environ)
            made = await servers[0].call("create_payment", dict(PAYMENT))
            server.stop()
            other = {**PAYMENT, "idempotency_key": "order-0002"}
            for result in await at_once(servers, [[other]] * SERVERS):
                assert (result["outcome"], result["error_code"]) == ("refused", "ledger_unavailable")
            assert len(received(sandbox)) == 1
            server.start()
            results = await at_once(servers, [[dict(PAYMENT)]] * SERVERS)
            assert {(result["payment_id"], result["replayed"]) for result in results} == {(made["payment_id"], True)}
            assert (await servers[1].call("create_payment", other))["error_code"] == ""
    assert len(received(sandbox)) == 2
