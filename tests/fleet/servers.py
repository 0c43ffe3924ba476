"""Support: servers of one fleet, as clients start them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio

from blikk_sandbox.running import RunningSandbox
from tests.postgres import PostgresServer
from tests.sandbox_control import received
from tests.server.running import Process, environment, spawned

SERVERS = 3
ARRIVAL_SECONDS = 20
ARRIVAL_PACE_SECONDS = 0.02


def fleet_environment(sandbox: RunningSandbox, postgres: PostgresServer, folder: Path) -> dict[str, str]:
    """The settings that all servers of a fleet share, with a ledger of their own."""
    return {
        **environment(sandbox, folder),
        "BLIKK_LEDGER": postgres.database(),
        "BLIKK_DAILY_LIMIT_ISK": "1000000000",
        "BLIKK_CREATES_PER_MINUTE": "1000000",
        "BLIKK_DUPLICATE_WINDOW_MINUTES": "0",
    }


async def start(stack: AsyncExitStack, *environs: Mapping[str, str]) -> list[Process]:
    """A server for each, that has shaken hands."""
    servers = [await stack.enter_async_context(spawned(environ)) for environ in environs]
    for server in servers:
        await server.initialize()
    return servers


async def at_once(servers: Sequence[Process], payments: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """What each server answers to its payments, all of which are asked for at the same time."""
    results: list[dict[str, Any]] = []

    async def pay(server: Process, mine: Sequence[Mapping[str, Any]]) -> None:
        waiting = {
            await server.send("tools/call", {"name": "create_payment", "arguments": dict(payment)}) for payment in mine
        }
        while waiting:
            message = await server.receive()
            if message.get("id") in waiting:
                waiting.remove(message["id"])
                results.append(message["result"]["structuredContent"])

    async with anyio.create_task_group() as tasks:
        for server, mine in zip(servers, payments, strict=True):
            tasks.start_soon(pay, server, mine)
    return results


async def requests_arrived(sandbox: RunningSandbox, number: int = 1) -> None:
    """Wait until the bank has received so many requests to pay."""
    with anyio.fail_after(ARRIVAL_SECONDS):
        # In another process, with no event to wait for.
        while len(await anyio.to_thread.run_sync(received, sandbox)) < number:  # noqa: ASYNC110
            await anyio.sleep(ARRIVAL_PACE_SECONDS)
