"""The desk's own rules: how many calls it takes at once, and that the key is in no argument."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from mcp.shared.exceptions import MCPError

from blikk_mcp.desk import desk
from blikk_mcp.redaction.redactor import LEAK_LENGTH
from blikk_sandbox.running import RunningSandbox
from tests.sandbox_control import received
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
