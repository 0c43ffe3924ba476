"""The desk's own rules: one for the process, how many calls it takes at once, and what a call may bring and report."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from mcp.shared.exceptions import MCPError

from blikk_mcp import payments
from blikk_mcp.desk import desk
from blikk_mcp.redaction.redactor import LEAK_LENGTH
from blikk_payments.service import PaymentService
from blikk_sandbox.person import approve
from blikk_sandbox.running import RunningSandbox
from blikk_tools.arguments import Arguments
from blikk_tools.catalog import catalog
from blikk_tools.listing import PaymentList
from blikk_tools.tool import Call, Reply, Tool
from tests.sandbox_control import control, received
from tests.server.running import PAYMENT, call, connected, environment

pytestmark = pytest.mark.anyio


@pytest.fixture
def environ(sandbox: RunningSandbox, tmp_path: Path) -> dict[str, str]:
    return environment(sandbox, tmp_path)


async def test_one_call_beyond_the_bound_is_refused_and_a_call_that_has_ended_counts_no_more(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood costs a bounded amount of memory, and a server that was flooded once is not refused for ever."""
    monkeypatch.setattr(desk, "MAX_CALLS_AT_ONCE", 1)
    async with connected(environ) as client, anyio.create_task_group() as tasks:
        created = await call(client, "create_payment", PAYMENT)
        wait = {"payment_id": created["payment_id"], "wait_seconds": 40, "human_informed": True}
        tasks.start_soon(call, client, "await_payment", wait)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(MCPError, match="Too many calls at once"):
            await call(client, "get_payment_status", {"payment_id": created["payment_id"]})
        tasks.cancel_scope.cancel()


async def test_a_part_of_the_key_is_no_argument_save_in_an_id_which_may_hold_it_by_chance(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """An agent that has come by the key gets it neither into the ledger nor to Blikk; an id is Blikk's own word."""
    part, whole = sandbox.api_key[:LEAK_LENGTH], sandbox.api_key
    async with connected(environ) as client:
        for name in ("creditor_name", "purpose", "idempotency_key"):
            result = await call(client, "create_payment", {**PAYMENT, name: part})
            assert "API key" in result["error_message"]
        by_part = await call(client, "get_payment_status", {"payment_id": part})
        assert by_part["error_code"] == "not_found"
        by_whole = await call(client, "get_payment_status", {"payment_id": whole})
        assert "API key" in by_whole["error_message"]
    assert received(sandbox) == []


async def test_requests_that_come_at_once_find_one_desk(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second service would have a poller and limits of its own."""
    opened: list[PaymentService] = []
    running_service = payments.running_service

    @asynccontextmanager
    async def counted(*collaborators: Any) -> AsyncGenerator[PaymentService]:
        async with running_service(*collaborators) as service:
            opened.append(service)
            await anyio.lowlevel.checkpoint()
            yield service

    monkeypatch.setattr(payments, "running_service", counted)
    async with connected(environ) as client, anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(call, client, "list_payments", dict[str, Any]())
    assert len(opened) == 1


def tools_that(first: Callable[[Call], Awaitable[None]]) -> Callable[..., dict[str, Tool[Any]]]:
    """A catalog whose tools do this before they do what they do."""

    def changed(tool: Tool[Any]) -> Tool[Any]:
        async def run(call: Call, arguments: Arguments) -> Reply | PaymentList:
            await first(call)
            return await tool.run(call, arguments)

        return replace(tool, run=run)

    def changed_catalog(*, read_only: bool) -> dict[str, Tool[Any]]:
        return {name: changed(tool) for name, tool in catalog(read_only=read_only).items()}

    return changed_catalog


async def test_whatever_a_tool_reports_the_client_hears_progress_that_rises(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """MCP: the value must rise with each report. A tool may wait twice in a call, each time from the beginning."""
    heard: list[tuple[float, float | None]] = []

    async def report(call: Call) -> None:
        for done_seconds in (0.0, 2.0, 2.0, 1.0, 3.0):
            await call.progress(done_seconds, 2.5, "waiting")

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total))

    monkeypatch.setattr(desk, "catalog", tools_that(report))
    async with connected(environ) as client:
        await client.call_tool("list_payments", {}, progress_callback=hear)
    assert heard == [(0.0, 2.5), (2.0, 2.5), (3.0, 3.0)]


@pytest.mark.slow
async def test_a_thousand_payments_can_be_waited_for_at_once(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What docs/measurements.md says of one process; a bound that is lower refuses people's payments."""
    under_way: list[Call] = []
    all_there = anyio.Event()

    async def wait_for_the_others(call: Call) -> None:
        under_way.append(call)
        if len(under_way) == 1_000:
            all_there.set()
        await all_there.wait()

    monkeypatch.setattr(desk, "catalog", tools_that(wait_for_the_others))
    async with connected(environ) as client, anyio.create_task_group() as tasks:
        for _ in range(1_000):
            tasks.start_soon(client.call_tool, "list_payments", {"only": "open", "limit": 1})
    assert len(under_way) == 1_000


async def test_a_link_that_replaces_one_of_an_earlier_call_says_so(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """The person has two links then, and only the newer one works: what was given is remembered from call to call."""
    control(sandbox, "lives", {"life": "onboarding"})
    async with connected(environ) as client:
        created = await call(client, "create_payment", PAYMENT)
        await approve(created["approval_url"], decision="complete")
        control(sandbox, "clock", {"advance_seconds": 5})
        later = await call(client, "get_payment_status", {"payment_id": created["payment_id"]})
    assert later["approval_url"] not in ("", created["approval_url"])
    replaces = "takes the place of"
    assert (replaces in created["human_instruction"], replaces in later["human_instruction"]) == (False, True)


async def test_at_the_end_the_ledger_is_closed(environ: dict[str, str]) -> None:
    """What is left open may be read half, by a backup or by the next process."""
    ledger = Path(environ["BLIKK_LEDGER"])
    async with connected(environ) as client:
        await call(client, "create_payment", PAYMENT)
        assert ledger.with_name(f"{ledger.name}-wal").exists()
    assert [file.name for file in ledger.parent.iterdir() if file.name.startswith(f"{ledger.name}-")] == []
