"""Asking the person through the client, in both eras: only an explicit yes to exactly this payment lets it pass."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp.server import request_state
from mcp.shared.exceptions import MCPError

from blikk_mcp.desk.asking import asker_for
from blikk_mcp.desk.desk import RisingProgress
from blikk_payments.models import Confirmation, Question, QuestionKind
from blikk_sandbox.running import RunningSandbox
from blikk_tools.instructions import Presentation
from tests.payments.doubles import virtual_time
from tests.sandbox_control import received
from tests.server.running import PAYMENT, Process, call, connected, environment, wired

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
    """Above BLIKK_ASK_ABOVE_ISK a person confirms before anything is sent."""
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
        {"action": "accept", "content": {"confirm": False}},
        {"action": "accept", "content": {}},
        {"action": "accept", "content": {"confirm": "true"}},
    ],
    ids=["declined", "box not ticked", "no box", "words in the box"],
)
async def test_a_no_sends_nothing(
    environ: dict[str, str], sandbox: RunningSandbox, mode: str, answer: dict[str, Any]
) -> None:
    """Others' defect: a confirmation that was declined and the call went on."""
    async with connected(environ, mode, elicitation_callback=Person(**answer)) as client:
        result = await call(client, "create_payment", PAYMENT)
    assert (result["outcome"], result["error_code"]) == ("refused", "confirmation_declined")
    assert received(sandbox) == []


NO_ANSWERS: dict[str, Any] = {
    "cancelled": {"action": "cancel"},
    "accepted without content": {"action": "accept"},
    "content null": {"action": "accept", "content": None},
    "nothing": {},
    "content a list": {"action": "accept", "content": ["confirm"]},
    "content text": {"action": "accept", "content": "confirm"},
    "an object in the box": {"action": "accept", "content": {"confirm": {"yes": True}}},
    "an unknown action": {"action": "approve", "content": {"confirm": True}},
    "no action": {"content": {"confirm": True}},
    "an action that is a number": {"action": 1, "content": {"confirm": True}},
    "another kind of answer": {"role": "user", "model": "m", "content": {"type": "text", "text": "yes"}},
}
"""Answers from which nobody can tell whether a person was asked."""


async def raw_handshake(server: Process, arguments: Any, given: Any) -> dict[str, Any]:
    """One create by a client of the handshake era, which answers the question with exactly this."""
    number = await server.send("tools/call", {"name": "create_payment", "arguments": arguments})
    while True:
        message = await server.receive()
        if message.get("method") == "elicitation/create":
            await server.send_line(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": given}))
        elif message.get("id") == number:
            return message


async def raw_modern(server: Process, arguments: Any, given: Any) -> dict[str, Any]:
    """The same in the modern era: the call is repeated with exactly this for an answer."""
    params: dict[str, Any] = {"name": "create_payment", "arguments": arguments, "_meta": FORM_META}
    first = await server.ask("tools/call", params)
    state = first["result"]["requestState"]
    return await server.ask("tools/call", {**params, "inputResponses": given, "requestState": state})


@pytest.mark.parametrize("era", ["handshake", "modern"])
async def test_what_is_no_answer_is_no_refusal_either_and_sends_nothing(
    environ: dict[str, str], sandbox: RunningSandbox, era: str
) -> None:
    """Headless clients send `cancel` by themselves, others send what is no answer: nobody may have been asked."""
    ended: dict[str, tuple[str, str, bool]] = {}
    async with wired(environ) as server:
        if era == "handshake":
            await server.initialize(capabilities={"elicitation": {}})
        for name, given in NO_ANSWERS.items():
            if era == "handshake":
                answered = await raw_handshake(server, PAYMENT, given)
            else:
                answered = await raw_modern(server, PAYMENT, {"confirm": given})
            result = answered["result"]["structuredContent"]
            ended[name] = (result["outcome"], result["error_code"], "no answer" in result["human_instruction"])
    assert ended == dict.fromkeys(NO_ANSWERS, ("refused", "confirmation_required", True))
    assert received(sandbox) == []


async def test_a_repeated_call_without_an_answer_is_answered_too(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """In the modern era the answers are a map; whatever else comes is no answer, and no protocol error."""
    async with wired(environ) as server:
        shapes: list[Any] = [{}, [], None, "yes", {"other": {"action": "accept"}}, {"confirm": None}]
        for given in shapes:
            answered = await raw_modern(server, PAYMENT, given)
            assert answered["result"]["structuredContent"]["error_code"] == "confirmation_required"
    assert received(sandbox) == []


@pytest.mark.parametrize("era", ["handshake", "modern"])
async def test_a_duplicate_that_nobody_answered_for_stays_a_possible_duplicate(
    sandbox: RunningSandbox, tmp_path: Path, era: str
) -> None:
    """The earlier payment's id is named, and the words do not say that the person declined."""
    other = {**PAYMENT, "idempotency_key": "order-0002"}
    async with wired(environment(sandbox, tmp_path)) as server:
        if era == "handshake":
            await server.initialize(capabilities={"elicitation": {}})
            first = (await raw_handshake(server, PAYMENT, {}))["result"]["structuredContent"]
            held = (await raw_handshake(server, other, {"action": "cancel"}))["result"]["structuredContent"]
        else:
            params: dict[str, Any] = {"name": "create_payment", "arguments": dict(PAYMENT), "_meta": FORM_META}
            first = (await server.ask("tools/call", params))["result"]["structuredContent"]
            answered = await raw_modern(server, other, {"confirm": {"action": "cancel"}})
            held = answered["result"]["structuredContent"]
    assert (held["outcome"], held["error_code"]) == ("refused", "possible_duplicate")
    assert (held["payment_id"], held["idempotency_key"]) == (first["payment_id"], "order-0002")
    assert "declined" not in held["next_step"] + held["human_instruction"]
    assert len(received(sandbox)) == 1


async def test_a_yes_to_the_amount_is_none_to_a_duplicate_that_appeared_meanwhile(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """The state is bound to the question that was asked: another question has to be asked anew."""
    params: dict[str, Any] = {"name": "create_payment", "arguments": dict(PAYMENT), "_meta": FORM_META}
    equal: dict[str, Any] = {**params, "arguments": {**PAYMENT, "idempotency_key": "order-0002"}}
    yes = {"confirm": YES}
    async with wired(environ) as server:
        asked = (await server.ask("tools/call", params))["result"]
        meanwhile = (await server.ask("tools/call", equal))["result"]
        made = await server.ask(
            "tools/call", {**equal, "inputResponses": yes, "requestState": meanwhile["requestState"]}
        )
        assert made["result"]["structuredContent"]["outcome"] == "needs_human"
        old = {**params, "inputResponses": yes, "requestState": asked["requestState"]}
        again = (await server.ask("tools/call", old))["result"]
        assert again["resultType"] == "input_required"
        assert "second time" in again["inputRequests"]["confirm"]["params"]["message"]
        assert len(received(sandbox)) == 1
        confirmed = await server.ask(
            "tools/call", {**params, "inputResponses": yes, "requestState": again["requestState"]}
        )
        assert confirmed["result"]["structuredContent"]["outcome"] == "needs_human"
    assert len(received(sandbox)) == 2


class SilentSession:
    """A client that shows a form to nobody, and keeps what it is told meanwhile."""

    client_capabilities = types.ClientCapabilities(elicitation=types.ElicitationCapability())

    async def elicit_form(self, *question: Any, **more: Any) -> types.ElicitResult:
        """Never answered."""
        await anyio.sleep_forever()
        raise AssertionError


@pytest.mark.parametrize("anyio_backend", [virtual_time()], ids=["virtual time"])
async def test_a_question_ends_within_fifty_seconds_and_reports_progress_until_then(anyio_backend: Any) -> None:
    """TypeScript clients give a call up after 60 s without a word."""
    reports: list[tuple[float, float, str]] = []

    async def progress(done_seconds: float, of_seconds: float, message: str) -> None:
        reports.append((done_seconds, of_seconds, message))

    ctx: Any = SimpleNamespace(session=SilentSession(), protocol_version="2025-11-25", request_id=1)
    params = types.CallToolRequestParams(name="create_payment", arguments={})
    asker = asker_for(ctx, params, Presentation(language="is"), progress)
    assert asker is not None
    started = anyio.current_time()
    assert await asker.confirm(a_question()) is Confirmation.UNANSWERED
    assert anyio.current_time() - started == pytest.approx(50)
    gone = [done for done, *_ in reports]
    assert gone == sorted(set(gone))
    assert max(later - earlier for earlier, later in pairwise([0.0, *gone, 50.0])) <= 3.1
    assert {(of, message) for _, of, message in reports} == {(50.0, "Beðið eftir svari við spurningunni")}


async def test_progress_only_ever_rises() -> None:
    """MCP: a progress value must rise with each report, also where a clock stands still."""
    told: list[float] = []

    async def report(done: float, of: float, message: str) -> None:
        told.append(done)

    progress = RisingProgress(report)
    for done in (0.0, 0.0, 1.0, 0.5, 1.0, 2.0, 2.0):
        await progress(done, 10.0, "waiting")
    assert told == [0.0, 1.0, 2.0]


def a_question() -> Question:
    """What a person is asked of the usual payment."""
    return Question(
        frozenset({QuestionKind.ABOVE_THRESHOLD}), "order-0001", 1_000, "Jón", "5510730339", "IS015926007654"
    )


@ERAS
async def test_a_client_that_cannot_ask_is_refused(environ: dict[str, str], sandbox: RunningSandbox, mode: str) -> None:
    """Above the threshold, a client that cannot ask gets `confirmation_required`."""
    async with connected(environ, mode) as client:
        result = await call(client, "create_payment", PAYMENT)
    assert (result["outcome"], result["error_code"]) == ("refused", "confirmation_required")
    assert received(sandbox) == []


@ERAS
async def test_at_or_below_the_threshold_nobody_is_asked(environ: dict[str, str], mode: str) -> None:
    """*above* this a person must confirm."""
    person = Person(action="decline")
    async with connected(environ, mode, elicitation_callback=person) as client:
        result = await call(client, "create_payment", {**PAYMENT, "amount": 500})
    assert result["outcome"] == "needs_human"
    assert person.asked == []


@ERAS
async def test_a_client_that_can_ask_is_asked_about_a_duplicate_whatever_the_model_says(
    sandbox: RunningSandbox, tmp_path: Path, mode: str
) -> None:
    """Where a person can be asked, the model's word alone is not enough."""
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
    assert "second time" in person.asked[0]
    assert len(received(sandbox)) == 1


async def test_a_client_that_cannot_ask_needs_the_earlier_payments_id(sandbox: RunningSandbox, tmp_path: Path) -> None:
    """For a duplicate `confirmed_duplicate_of` suffices where nobody can be asked."""
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
    """Homoglyph look-alikes of a known creditor (warn the person): here before anything is sent."""
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
    """An answer counts only with the sealed state of its own question."""
    call_params: dict[str, Any] = {"name": "create_payment", "arguments": dict(PAYMENT), "_meta": FORM_META}
    async with wired(environ) as server:
        asked = (await server.ask("tools/call", call_params))["result"]
        assert asked["resultType"] == "input_required"
        form = asked["inputRequests"]["confirm"]["params"]["requestedSchema"]
        # Whoever presses Enter has ticked nothing, and a form without the box is no answer.
        assert (form["required"], form["properties"]["confirm"]["default"]) == (["confirm"], False)
        assert (form["type"], form["properties"]["confirm"]["type"]) == ("object", "boolean")
        invented = await server.ask("tools/call", {**call_params, "inputResponses": {"confirm": YES}})
        assert invented["result"]["resultType"] == "input_required"
        for state in ("v1.forged", "", 7):
            forged = await server.ask(
                "tools/call", {**call_params, "inputResponses": {"confirm": YES}, "requestState": state}
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
    """An error instead of an answer is no yes."""

    async def fails(context: Any, params: types.ElicitRequestParams) -> types.ErrorData:
        return types.ErrorData(code=-32000, message="no window to ask in")

    async with connected(environ, "legacy", elicitation_callback=fails) as client:
        result = await call(client, "create_payment", PAYMENT)
    assert result["error_code"] == "confirmation_required"
    assert received(sandbox) == []


@pytest.mark.parametrize("capabilities", [{}, {"elicitation": {"url": {}}}], ids=["nothing", "links only"])
async def test_no_form_is_sent_to_a_client_that_did_not_declare_forms(
    environ: dict[str, str], capabilities: dict[str, Any]
) -> None:
    """MCP: a server must not send what the client did not declare."""
    async with wired(environ) as server:
        await server.initialize(capabilities=capabilities)
        result = await server.call("create_payment", PAYMENT)
        assert result["error_code"] == "confirmation_required"


async def test_an_unknown_method_is_a_protocol_error(environ: dict[str, str]) -> None:
    """MCP: what is not served is refused as such."""
    async with connected(environ) as client:
        with pytest.raises(MCPError):
            await client.get_prompt("nothing")


@pytest.mark.parametrize(("version", "asks"), [("2025-03-26", False), ("2025-06-18", True), ("2025-11-25", True)])
def test_a_client_is_asked_from_the_first_version_that_has_forms(version: str, asks: bool) -> None:
    """MCP 2025-06-18 brought elicitation; a client that speaks an older version cannot have meant it."""

    async def progress(done_seconds: float, of_seconds: float, message: str) -> None:
        raise AssertionError("nobody waits")

    ctx: Any = SimpleNamespace(session=SilentSession(), protocol_version=version, request_id=1)
    params = types.CallToolRequestParams(name="create_payment", arguments={})
    assert (asker_for(ctx, params, Presentation(), progress) is not None) == asks


@pytest.mark.parametrize(("later_seconds", "counts"), [(590, True), (610, False)])
async def test_a_yes_counts_for_ten_minutes(
    environ: dict[str, str],
    sandbox: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
    later_seconds: int,
    counts: bool,
) -> None:
    """A person may be called to the door; what was asked an hour ago is not what they would say yes to now."""
    params: dict[str, Any] = {"name": "create_payment", "arguments": dict(PAYMENT), "_meta": FORM_META}
    async with wired(environ) as server:
        asked = (await server.ask("tools/call", params))["result"]
        now = time.time()
        monkeypatch.setattr(request_state, "time", SimpleNamespace(time=lambda: now + later_seconds))
        answered = {**params, "inputResponses": {"confirm": YES}, "requestState": asked["requestState"]}
        await server.ask("tools/call", answered)
    assert len(received(sandbox)) == (1 if counts else 0)
