"""Tasks over real stdio: a client's own process, its end in the middle of a wait, and the next one's start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from blikk_sandbox.person import approve
from blikk_sandbox.running import RunningSandbox
from tests.sandbox_control import paid, received
from tests.server.running import PAYMENT, Process, environment, spawned
from tests.server.tasks.client import envelope

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MAX_ASKED = 100
END_SECONDS = 2.0


async def ask(server: Process, method: str, **params: Any) -> dict[str, Any]:
    """The answer to a request of the modern era by a client with tasks."""
    return await server.ask(method, {**params, **envelope()})


async def call(server: Process, tool: str, **arguments: Any) -> dict[str, Any]:
    """What a call is answered with, a result or a task."""
    return (await ask(server, "tools/call", name=tool, arguments=arguments))["result"]


async def fetched(server: Process, task_id: str, payment_id: str) -> dict[str, Any]:
    """The flat result of a task, fetched once an ordinary wait has ended, which has the same poller."""
    waiting = {"payment_id": payment_id, "human_informed": True}
    without = {"name": "await_payment", "arguments": waiting, **envelope({})}
    assert (await server.ask("tools/call", without))["result"]["structuredContent"]["final"] is True
    for _ in range(MAX_ASKED):
        task = (await ask(server, "tasks/get", taskId=task_id))["result"]
        if task["status"] != "working":
            return task["result"]["structuredContent"]
    raise AssertionError("the task outlasts what it waits for")


async def test_a_client_goes_on_after_its_server_was_killed_in_the_middle_of_a_wait(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    """The handle is forgotten, which the new process says as its first word; the payment is in the ledger."""
    environ = environment(sandbox, tmp_path)
    async with spawned(environ) as server:
        created = (await call(server, "create_payment", **PAYMENT))["structuredContent"]
        waiting = {"payment_id": created["payment_id"], "human_informed": True}
        lost = (await call(server, "await_payment", **waiting))["taskId"]
        assert (await ask(server, "tasks/get", taskId=lost))["result"]["status"] == "working"
        server.process.kill()
    async with spawned(environ) as server:
        assert (await ask(server, "tasks/get", taskId=lost))["error"]["code"] == -32602
        task = await call(server, "await_payment", **waiting)
        assert (task["resultType"], task["taskId"] != lost) == ("task", True)
        await approve(created["approval_url"])
        ended = await fetched(server, task["taskId"], created["payment_id"])
    assert (ended["outcome"], ended["idempotency_key"]) == ("paid", PAYMENT["idempotency_key"])
    assert (len(received(sandbox)), paid(sandbox)) == (1, [created["payment_id"]])


async def test_a_client_that_hangs_up_ends_its_server_and_the_waits_of_its_tasks(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    """EOF ends the process within two seconds, exit 0, whatever is waited for; no handle is in the log."""
    async with spawned(environment(sandbox, tmp_path)) as server:
        created = (await call(server, "create_payment", **PAYMENT))["structuredContent"]
        waiting = {"payment_id": created["payment_id"], "human_informed": True}
        handles = [(await call(server, "await_payment", **waiting))["taskId"] for _ in range(3)]
        await server.close_stdin()
        with anyio.fail_after(END_SECONDS):
            assert await server.process.wait() == 0
        await server.end()
    assert '"outcome":"task"' in server.stderr
    assert not any(handle in server.stderr for handle in handles)
