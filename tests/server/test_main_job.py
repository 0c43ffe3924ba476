"""The main job through a real MCP client: create, tell the person, wait, paid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.shared.exceptions import MCPError

from blikk_sandbox.person import approve
from blikk_sandbox.running import RunningSandbox
from blikk_tools.catalog import ALL_TOOLS
from tests.expecting import assert_fields
from tests.sandbox_control import control, paid, received
from tests.server.running import PAYMENT, call, connected, environment, spawned

pytestmark = pytest.mark.anyio

ERAS = pytest.mark.parametrize("mode", ["legacy", "auto"], ids=["handshake era", "modern era"])


@pytest.fixture
def environ(sandbox: RunningSandbox, tmp_path: Path) -> dict[str, str]:
    return environment(sandbox, tmp_path)


@ERAS
async def test_a_payment_is_created_approved_by_a_person_and_paid_once(
    environ: dict[str, str], sandbox: RunningSandbox, mode: str
) -> None:
    """The agent creates, the person approves at the bank's page, the agent learns that it is paid."""
    async with connected(environ, mode) as client:
        created = await call(client, "create_payment", PAYMENT)
        assert (created["outcome"], created["human_action"]) == ("needs_human", "open_link")
        assert created["approval_url"] in created["human_instruction"]
        await approve(created["approval_url"])
        ended = await call(
            client, "await_payment", {"payment_id": created["payment_id"], "human_informed": True, "wait_seconds": 20}
        )
        assert_fields(ended, outcome="paid", status="SUCCESS", final=True)
        again = await call(client, "create_payment", PAYMENT)
        assert (again["outcome"], again["replayed"]) == ("paid", True)
    assert paid(sandbox) == [created["payment_id"]]
    assert len(received(sandbox)) == 1


@pytest.mark.parametrize(
    ("amount", "outcome", "status"),
    [
        (121, "failed", "ERROR"),
        (131, "failed", "CANCELLED"),
        (141, "failed", "REJECTED"),
        (151, "paid", "SUCCESS"),
    ],
)
async def test_a_payment_that_ends_at_once_is_told_as_it_ended(
    environ: dict[str, str], amount: int, outcome: str, status: str
) -> None:
    """A public integrator saw POST answer with a terminal status; that is a true answer and no error of the tool."""
    async with connected(environ) as client:
        result = await call(client, "create_payment", {**PAYMENT, "amount": amount})
    assert_fields(result, outcome=outcome, status=status, final=True, error_code="")


@pytest.mark.parametrize(("decision", "status"), [("reject", "REJECTED"), ("cancel", "CANCELLED")])
async def test_a_person_who_says_no_ends_the_payment_without_money(
    environ: dict[str, str], sandbox: RunningSandbox, decision: str, status: str
) -> None:
    """Blikk's page: REJECTED and CANCELLED are terminal."""
    async with connected(environ) as client:
        created = await call(client, "create_payment", PAYMENT)
        await approve(created["approval_url"], decision=decision)
        ended = await call(client, "await_payment", {"payment_id": created["payment_id"], "human_informed": True})
    assert (ended["outcome"], ended["status"]) == ("failed", status)
    assert paid(sandbox) == []


async def test_an_approval_pushed_to_the_banks_app_has_no_link(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """A sister API's documentation: some banks push the approval, and there is nothing to open."""
    control(sandbox, "lives", {"life": "push"})
    async with connected(environ) as client:
        created = await call(client, "create_payment", PAYMENT)
    assert_fields(created, outcome="needs_human", human_action="bank_app", approval_url="")
    assert "1,000 ISK" in created["human_instruction"]


async def test_onboarding_comes_before_the_approval(environ: dict[str, str], sandbox: RunningSandbox) -> None:
    """A public integrator saw USER_ONBOARDING_REQUIRED with a link: the person has to register first."""
    control(sandbox, "lives", {"life": "onboarding"})
    async with connected(environ) as client:
        created = await call(client, "create_payment", PAYMENT)
    assert (created["status"], created["human_action"]) == ("USER_ONBOARDING_REQUIRED", "onboarding")
    assert created["approval_url"]


async def test_a_payment_that_is_rejected_after_approval_is_not_called_paid(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """A public integrator saw accepted payments rejected at settlement."""
    control(sandbox, "lives", {"life": "late_rejection"})
    async with connected(environ) as client:
        created = await call(client, "create_payment", PAYMENT)
        await approve(created["approval_url"])
        ended = await call(client, "await_payment", {"payment_id": created["payment_id"], "human_informed": True})
    assert (ended["outcome"], ended["status"]) == ("failed", "REJECTED")


@pytest.mark.parametrize(
    "fault", ["answer_lost_before_commit", "answer_lost_after_commit", "error_after_commit", "no_id", "garbage"]
)
async def test_a_lost_answer_is_unknown_and_never_sent_again(
    environ: dict[str, str], sandbox: RunningSandbox, fault: str
) -> None:
    """Blikk has no idempotency key, so what may have been paid is never sent again by itself."""
    control(sandbox, "faults", {"fault": fault, "operation": "create"})
    async with connected(environ) as client:
        for replayed in (False, True):
            result = await call(client, "create_payment", PAYMENT)
            assert_fields(result, outcome="unknown", error_code="outcome_unknown", replayed=replayed)
        other_key = await call(client, "create_payment", {**PAYMENT, "idempotency_key": "order-0001-b"})
        assert (other_key["outcome"], other_key["error_code"]) == ("refused", "possible_duplicate")
    assert len(received(sandbox)) == 1


async def test_a_read_that_fails_in_mid_wait_does_not_end_the_wait(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """Others' defect: one 503 that ended the wait."""
    async with connected(environ) as client:
        created = await call(client, "create_payment", PAYMENT)
        control(sandbox, "faults", {"fault": "empty_502", "operation": "read"})
        await approve(created["approval_url"])
        ended = await call(client, "await_payment", {"payment_id": created["payment_id"], "human_informed": True})
    assert ended["outcome"] == "paid"


async def test_progress_rises_while_it_waits(environ: dict[str, str]) -> None:
    """MCP: progress values must increase; our rule: a waiting client hears something every few seconds."""
    seen: list[float] = []

    async def heard(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)

    async with connected(environ) as client:
        created = await call(client, "create_payment", PAYMENT)
        arguments = {"payment_id": created["payment_id"], "human_informed": True, "wait_seconds": 1}
        await client.call_tool("await_payment", arguments, progress_callback=heard)
    assert seen
    assert seen == sorted(set(seen))


async def test_a_cancelled_create_keeps_its_claim_and_its_answer(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """MCP lets a client cancel; our rule: a request that is under way is heard out and written down."""
    control(sandbox, "faults", {"fault": "slow", "operation": "create", "seconds": 1.0})
    async with connected(environ) as client:
        with anyio.move_on_after(0.5):
            await client.call_tool("create_payment", dict(PAYMENT))
        result = await call(client, "create_payment", PAYMENT)
    assert (result["outcome"], result["replayed"]) == ("needs_human", True)
    assert len(received(sandbox)) == 1


async def test_read_only_does_not_offer_create_payment(environ: dict[str, str]) -> None:
    """What is switched off is an unknown tool."""
    async with connected({**environ, "BLIKK_READ_ONLY": "yes"}) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert names == ["get_payment_status", "await_payment", "list_payments"]
        with pytest.raises(MCPError) as caught:
            await client.call_tool("create_payment", dict(PAYMENT))
    assert caught.value.code == -32602


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"BLIKK_API_KEY": ""}, "BLIKK_API_KEY"),
        ({"BLIKK_API_KEY": "${BLIKK_API_KEY}"}, "BLIKK_API_KEY"),
        ({"BLIKK_MAX_AMOUNT_ISK": "1.000"}, "BLIKK_MAX_AMOUNT_ISK"),
        ({"BLIKK_MAX_AMOUNT": "1000"}, "BLIKK_MAX_AMOUNT_ISK"),
    ],
)
async def test_wrong_settings_list_the_tools_and_answer_every_call_with_the_setting(
    environ: dict[str, str], sandbox: RunningSandbox, wrong: dict[str, str], named: str
) -> None:
    """Catalogs list tools without a key, and a person has to learn what to correct."""
    async with connected({**environ, **wrong}) as client:
        assert len((await client.list_tools()).tools) == len(ALL_TOOLS)
        arguments: dict[str, Any]
        for tool, arguments in [
            ("create_payment", dict(PAYMENT)),
            ("get_payment_status", {"payment_id": "pay_1"}),
            ("await_payment", {"payment_id": "pay_1"}),
        ]:
            result = await call(client, tool, arguments)
            assert result["error_code"] == "not_configured"
            assert named in result["error_message"]
    assert received(sandbox) == []


async def test_the_real_process_does_the_main_job(environ: dict[str, str], sandbox: RunningSandbox) -> None:
    """The same over real stdio, in the handshake era that most clients speak."""
    async with spawned(environ) as server:
        await server.initialize()
        created = await server.call("create_payment", PAYMENT)
        await approve(created["approval_url"])
        ended = await server.call("await_payment", {"payment_id": created["payment_id"], "human_informed": True})
        assert ended["outcome"] == "paid"
    assert paid(sandbox) == [created["payment_id"]]


async def test_a_payment_is_known_to_the_next_server(environ: dict[str, str], sandbox: RunningSandbox) -> None:
    """One purchase, one key, also after a restart."""
    for replayed in (False, True):
        async with connected(environ) as client:
            result = await call(client, "create_payment", PAYMENT)
        assert (result["outcome"], result["replayed"]) == ("needs_human", replayed)
    assert len(received(sandbox)) == 1


@pytest.mark.slow
async def test_the_ledger_outlives_the_process(environ: dict[str, str], sandbox: RunningSandbox) -> None:
    """The same for processes: what was written is in the file before anything is sent."""
    for replayed in (False, True):
        async with spawned(environ) as server:
            await server.initialize()
            result = await server.call("create_payment", PAYMENT)
            assert (result["outcome"], result["replayed"]) == ("needs_human", replayed)
    assert len(received(sandbox)) == 1
