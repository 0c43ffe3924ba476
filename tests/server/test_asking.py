"""Asking the person through the client, in both eras: only an explicit yes to exactly this payment lets it pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError

from blikk_sandbox.running import RunningSandbox
from tests.sandbox_control import received
from tests.server.running import PAYMENT, call, connected, environment, spawned

pytestmark = pytest.mark.anyio

ERAS = pytest.mark.parametrize("mode", ["legacy", "auto"], ids=["handshake era", "modern era"])
YES: dict[str, Any] = {"action": "accept", "content": {"confirm": True}}

FORM_META: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
}


@pytest.fixture
def environ(sandbox: RunningSandbox, tmp_path: Path) -> dict[str, str]:
    return environment(sandbox, tmp_path, BLIKK_ASK_ABOVE_ISK="500")


class Person:
    """Answers every question the same way, and remembers what was asked."""

    def __init__(self, **answer: Any) -> None:
        self._answer = answer
        self.asked: list[str] = []

    async def __call__(self, context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        self.asked.append(params.message)
        return types.ElicitResult(**self._answer)


@ERAS
async def test_a_yes_lets_the_payment_pass(environ: dict[str, str], sandbox: RunningSandbox, mode: str) -> None:
    """Ours: above BLIKK_ASK_ABOVE_ISK a person confirms before anything is sent."""
    person = Person(**YES)
    async with connected(environ, mode, elicitation_callback=person) as client:
        result = await call(client, "create_payment", PAYMENT)
    assert result["outcome"] == "needs_human"
    assert len(person.asked) == 1
    assert "1,000 ISK" in person.asked[0]
    assert "Jón Jónsson" in person.asked[0]
    assert len(received(sandbox)) == 1


@ERAS
@pytest.mark.parametrize(
    "answer",
    [
        {"action": "decline"},
        {"action": "cancel"},
        {"action": "accept", "content": {"confirm": False}},
        {"action": "accept", "content": {}},
        {"action": "accept", "content": {"confirm": "true"}},
    ],
    ids=["declined", "cancelled", "box not ticked", "no box", "words in the box"],
)
async def test_anything_but_a_yes_sends_nothing(
    environ: dict[str, str], sandbox: RunningSandbox, mode: str, answer: dict[str, Any]
) -> None:
    """Others' defect: a confirmation that was declined and the call went on."""
    async with connected(environ, mode, elicitation_callback=Person(**answer)) as client:
        result = await call(client, "create_payment", PAYMENT)
    assert (result["outcome"], result["error_code"]) == ("refused", "confirmation_declined")
    assert received(sandbox) == []


@ERAS
async def test_a_client_that_cannot_ask_is_refused(environ: dict[str, str], sandbox: RunningSandbox, mode: str) -> None:
    """Ours: above the threshold, a client that cannot ask gets `confirmation_required`."""
    async with connected(environ, mode) as client:
        result = await call(client, "create_payment", PAYMENT)
    assert (result["outcome"], result["error_code"]) == ("refused", "confirmation_required")
    assert received(sandbox) == []


@ERAS
async def test_at_or_below_the_threshold_nobody_is_asked(environ: dict[str, str], mode: str) -> None:
    """Ours: *above* this a person must confirm."""
    person = Person(action="decline")
    async with connected(environ, mode, elicitation_callback=person) as client:
        result = await call(client, "create_payment", {**PAYMENT, "amount": 500})
    assert result["outcome"] == "needs_human"
    assert person.asked == []


@ERAS
async def test_a_client_that_can_ask_is_asked_about_a_duplicate_whatever_the_model_says(
    sandbox: RunningSandbox, tmp_path: Path, mode: str
) -> None:
    """Ours: where a person can be asked, the model's word alone is not enough."""
    person = Person(action="decline")
    async with connected(environment(sandbox, tmp_path), mode, elicitation_callback=person) as client:
        first = await call(client, "create_payment", PAYMENT)
        assert person.asked == []
        second = await call(
            client,
            "create_payment",
            {**PAYMENT, "idempotency_key": "order-0002", "confirmed_duplicate_of": first["payment_id"]},
        )
    assert second["error_code"] == "confirmation_declined"
    assert first["payment_id"] in person.asked[0]
    assert len(received(sandbox)) == 1


async def test_a_client_that_cannot_ask_needs_the_earlier_payments_id(sandbox: RunningSandbox, tmp_path: Path) -> None:
    """Ours: for a duplicate `confirmed_duplicate_of` suffices where nobody can be asked."""
    other = {**PAYMENT, "idempotency_key": "order-0002"}
    async with connected(environment(sandbox, tmp_path)) as client:
        first = await call(client, "create_payment", PAYMENT)
        held = await call(client, "create_payment", other)
        assert (held["error_code"], held["payment_id"]) == ("possible_duplicate", first["payment_id"])
        wrong = await call(client, "create_payment", {**other, "confirmed_duplicate_of": "pay_invented"})
        assert wrong["error_code"] == "possible_duplicate"
        meant = await call(client, "create_payment", {**other, "confirmed_duplicate_of": first["payment_id"]})
        assert (meant["outcome"], meant["replayed"]) == ("needs_human", False)
    assert len(received(sandbox)) == 2


@ERAS
async def test_the_question_warns_of_a_name_that_looks_like_an_earlier_payees(
    sandbox: RunningSandbox, tmp_path: Path, mode: str
) -> None:
    """Issue: homoglyph look-alikes of a known creditor (warn the person): here before anything is sent."""
    person = Person(**YES)
    environ = environment(sandbox, tmp_path, BLIKK_ASK_ABOVE_ISK="500")
    forged = {
        **PAYMENT,
        "creditor_name": "J\u03ccn J\u00f3nsson",
        "creditor_iban": "IS67 0301 2600 5060 1303 7800 29",
        "idempotency_key": "order-0002",
    }
    async with connected(environ, mode, elicitation_callback=person) as client:
        await call(client, "create_payment", PAYMENT)
        created = await call(client, "create_payment", forged)
    plain, warned = person.asked
    assert "looks like an earlier payee's" not in plain
    assert "looks like an earlier payee's" in warned
    assert "looks like an earlier payee's" in created["human_instruction"]


async def test_an_invented_answer_confirms_nothing(environ: dict[str, str], sandbox: RunningSandbox) -> None:
    """Ours: an answer counts only with the sealed state of its own question."""
    call_params: dict[str, Any] = {"name": "create_payment", "arguments": dict(PAYMENT), "_meta": FORM_META}
    async with spawned(environ) as server:
        asked = (await server.ask("tools/call", call_params))["result"]
        assert asked["resultType"] == "input_required"
        invented = await server.ask("tools/call", {**call_params, "inputResponses": {"confirm": YES}})
        assert invented["result"]["resultType"] == "input_required"
        forged = await server.ask(
            "tools/call", {**call_params, "inputResponses": {"confirm": YES}, "requestState": "v1.forged"}
        )
        assert forged["error"]["code"] == -32602
        other: dict[str, Any] = {**call_params, "arguments": {**PAYMENT, "amount": 90000}}
        borrowed = await server.ask(
            "tools/call", {**other, "inputResponses": {"confirm": YES}, "requestState": asked["requestState"]}
        )
        assert borrowed["error"]["code"] == -32602
        assert received(sandbox) == []
        honest = await server.ask(
            "tools/call", {**call_params, "inputResponses": {"confirm": YES}, "requestState": asked["requestState"]}
        )
        assert honest["result"]["structuredContent"]["outcome"] == "needs_human"
    assert len(received(sandbox)) == 1


async def test_a_client_that_fails_to_ask_confirms_nothing(environ: dict[str, str], sandbox: RunningSandbox) -> None:
    """Ours: an error instead of an answer is no yes."""

    async def fails(context: Any, params: types.ElicitRequestParams) -> types.ErrorData:
        return types.ErrorData(code=-32000, message="no window to ask in")

    async with connected(environ, "legacy", elicitation_callback=fails) as client:
        result = await call(client, "create_payment", PAYMENT)
    assert result["error_code"] == "confirmation_declined"
    assert received(sandbox) == []


@pytest.mark.parametrize("capabilities", [{}, {"elicitation": {"url": {}}}], ids=["nothing", "links only"])
async def test_no_form_is_sent_to_a_client_that_did_not_declare_forms(
    environ: dict[str, str], capabilities: dict[str, Any]
) -> None:
    """MCP: a server must not send what the client did not declare."""
    async with spawned(environ) as server:
        await server.initialize(capabilities=capabilities)
        result = await server.call("create_payment", PAYMENT)
        assert result["error_code"] == "confirmation_required"


async def test_an_unknown_method_is_a_protocol_error(environ: dict[str, str]) -> None:
    """MCP: what is not served is refused as such."""
    async with connected(environ) as client:
        with pytest.raises(MCPError):
            await client.get_prompt("nothing")
