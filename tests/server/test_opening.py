"""Handing the link over through the client: asked once a link, never sent to a client that did not declare it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from blikk_mcp.desk import opening
from blikk_mcp.desk.asking import AnswerNeeded
from blikk_payments.channel.links import check_link
from blikk_sandbox.person import approve
from blikk_sandbox.running import RunningSandbox
from tests.sandbox_control import control
from tests.server.running import PAYMENT, Process, call, connected, environment, wired

pytestmark = pytest.mark.anyio

ERAS = pytest.mark.parametrize("mode", ["legacy", "auto"], ids=["handshake era", "modern era"])


@pytest.fixture
def environ(sandbox: RunningSandbox, tmp_path: Path) -> dict[str, str]:
    return environment(sandbox, tmp_path)


class Browser:
    """A client's own way to open links. `acts` is what the person does when the link is shown."""

    def __init__(self, action: str, *, acts: bool = False) -> None:
        self._action = action
        self._acts = acts
        self.opened: list[types.ElicitRequestURLParams] = []

    async def __call__(self, context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        assert isinstance(params, types.ElicitRequestURLParams)
        self.opened.append(params)
        if self._acts:
            await approve(params.url)
        return types.ElicitResult.model_validate({"action": self._action})


async def waited(client: Any, payment_id: str, **more: Any) -> dict[str, Any]:
    return await call(client, "await_payment", {"payment_id": payment_id, "wait_seconds": 15, **more})


@ERAS
async def test_a_client_that_opens_links_is_asked_and_the_wait_goes_on(environ: dict[str, str], mode: str) -> None:
    """MCP, URL elicitation: the link goes to the person through the client; only Blikk's status says what was paid."""
    browser = Browser("accept", acts=True)
    async with connected(environ, mode, elicitation_callback=browser) as client:
        created = await call(client, "create_payment", PAYMENT)
        assert browser.opened == []
        ended = await waited(client, created["payment_id"])
    assert ended["outcome"] == "paid"
    (opened,) = browser.opened
    assert opened.url == created["approval_url"]
    assert "1,000 ISK" in opened.message
    assert "127.0.0.1" in opened.message


@ERAS
async def test_consent_to_open_the_link_is_not_payment(environ: dict[str, str], mode: str) -> None:
    """MCP: accept means consent to open the link; a person who then does nothing has paid nothing."""
    browser = Browser("accept")
    async with connected(environ, mode, elicitation_callback=browser) as client:
        created = await call(client, "create_payment", PAYMENT)
        for _ in range(2):
            result = await call(client, "await_payment", {"payment_id": created["payment_id"], "wait_seconds": 1})
            assert (result["outcome"], result["final"]) == ("needs_human", False)
    assert len(browser.opened) == 1


@ERAS
@pytest.mark.parametrize(("action", "said"), [("decline", "declined"), ("cancel", "closed")])
async def test_a_person_who_does_not_open_it_is_reported_and_not_asked_again(
    environ: dict[str, str], mode: str, action: str, said: str
) -> None:
    """Declined and cancelled are reported as what they are, and the ordinary result carries the link."""
    browser = Browser(action)
    async with connected(environ, mode, elicitation_callback=browser) as client:
        created = await call(client, "create_payment", PAYMENT)
        result = await waited(client, created["payment_id"])
        assert said in result["warnings"]
        assert (result["outcome"], result["approval_url"]) == ("needs_human", created["approval_url"])
        again = await call(client, "await_payment", {"payment_id": created["payment_id"], "wait_seconds": 1})
        assert again["outcome"] == "needs_human"
    assert len(browser.opened) == 1


@ERAS
async def test_a_person_who_was_told_already_is_not_asked(environ: dict[str, str], mode: str) -> None:
    """Human_informed true suppresses the question."""
    browser = Browser("accept")
    async with connected(environ, mode, elicitation_callback=browser) as client:
        created = await call(client, "create_payment", PAYMENT)
        await call(
            client, "await_payment", {"payment_id": created["payment_id"], "human_informed": True, "wait_seconds": 1}
        )
    assert browser.opened == []


@ERAS
async def test_a_newer_link_is_handed_over_anew(environ: dict[str, str], sandbox: RunningSandbox, mode: str) -> None:
    """A public integrator: after onboarding there is another link; our rule: asked once a link."""
    control(sandbox, "lives", {"life": "onboarding"})
    opened: list[str] = []
    replacing: list[bool] = []

    async def person(context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        assert isinstance(params, types.ElicitRequestURLParams)
        opened.append(params.url)
        replacing.append("takes the place of the one you were given before" in params.message)
        await approve(params.url, decision="complete" if len(opened) == 1 else "approve")
        return types.ElicitResult(action="accept")

    async with connected(environ, mode, elicitation_callback=person) as client:
        created = await call(client, "create_payment", PAYMENT)
        ended = await call(client, "await_payment", {"payment_id": created["payment_id"], "wait_seconds": 10})
    assert ended["outcome"] == "paid"
    assert len(set(opened)) == len(opened) == 2
    assert replacing == [False, True]


@pytest.mark.parametrize(
    ("version", "capabilities"),
    [
        ("2025-11-25", {}),
        ("2025-11-25", {"elicitation": {}}),
        ("2025-11-25", {"elicitation": {"form": {}}}),
        ("2025-06-18", {"elicitation": {}}),
        ("2025-03-26", {"elicitation": {"url": {}}}),
        ("2024-11-05", {"elicitation": {"url": {}}}),
    ],
    ids=["nothing", "empty", "forms", "empty in the first revision with questions", "before questions", "oldest"],
)
async def test_no_link_is_sent_to_a_client_that_did_not_declare_it(
    environ: dict[str, str], version: str, capabilities: dict[str, Any]
) -> None:
    """MCP: a server must not send what the client did not declare; before 2025-06-18 there were no questions at all."""
    async with wired(environ) as server:
        await server.initialize(version, capabilities)
        created = await server.call("create_payment", PAYMENT)
        number = await server.send(
            "tools/call",
            {"name": "await_payment", "arguments": {"payment_id": created["payment_id"], "wait_seconds": 1}},
        )
        answer = await server.receive()
        assert answer["id"] == number
        assert answer["result"]["structuredContent"]["approval_url"] == created["approval_url"]


@pytest.mark.parametrize(
    "elicitation",
    [None, {}, {"form": {}}, {"url": {}}, {"form": {}, "url": {}}],
    ids=["nothing", "empty", "forms", "links", "both"],
)
async def test_in_the_modern_era_only_a_client_that_declared_links_is_given_one_to_open(
    environ: dict[str, str], elicitation: dict[str, Any] | None
) -> None:
    """MCP 2026-07-28: each request says what its client can; a server must not ask for more."""
    capabilities = {} if elicitation is None else {"elicitation": elicitation}
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    }
    async with wired(environ) as server:

        async def answer(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
            called = await server.ask("tools/call", {"name": tool, "arguments": arguments, "_meta": meta})
            return called["result"]

        created = (await answer("create_payment", dict(PAYMENT)))["structuredContent"]
        waited = await answer("await_payment", {"payment_id": created["payment_id"], "wait_seconds": 1})
    if elicitation is not None and "url" in elicitation:
        assert waited["resultType"] == "input_required"
        (asked,) = waited["inputRequests"].values()
        assert (asked["method"], asked["params"]["mode"]) == ("elicitation/create", "url")
        assert asked["params"]["url"] == created["approval_url"]
    else:
        assert waited["structuredContent"]["approval_url"] == created["approval_url"]
        assert "inputRequests" not in waited


@pytest.mark.parametrize("version", ["2025-06-18", "2025-11-25"])
async def test_the_client_is_told_when_the_link_has_done_its_work(environ: dict[str, str], version: str) -> None:
    """MCP 2025-11-25: a completion notice follows a link that was opened. Codex declares links in 2025-06-18."""
    async with wired(environ) as server:
        await server.initialize(version, {"elicitation": {"url": {}}})
        created = await server.call("create_payment", PAYMENT)
        arguments = {"payment_id": created["payment_id"], "wait_seconds": 20}
        number = await server.send("tools/call", {"name": "await_payment", "arguments": arguments})
        asked = await _method(server, "elicitation/create")
        assert asked["params"]["mode"] == "url"
        await server.send_line(f'{{"jsonrpc":"2.0","id":{asked["id"]},"result":{{"action":"accept"}}}}')
        await approve(asked["params"]["url"])
        notice = await _method(server, "notifications/elicitation/complete")
        assert notice["params"]["elicitationId"] == asked["params"]["elicitationId"]
        assert (await server.receive())["id"] == number


async def _method(server: Process, method: str) -> dict[str, Any]:
    while True:
        message = await server.receive()
        if message.get("method") == method:
            return message


NO_ANSWERS: list[Any] = [None, {}, {"approval_link": types.ListRootsResult(roots=[])}]


@pytest.mark.parametrize("answers", NO_ANSWERS, ids=["none", "empty", "another kind"])
async def test_in_the_modern_era_what_is_no_answer_to_the_link_opened_nothing(answers: Any) -> None:
    """Only `accept` is consent: a client that repeats the call without it has closed the question."""
    link = check_link("https://bank.example/approve/1")
    first = types.CallToolRequestParams(name="await_payment")
    with pytest.raises(AnswerNeeded) as asked:
        await opening.RepeatedCallOpener(first).open(link, "Please approve", "link-1")
    state = asked.value.result.request_state
    again = types.CallToolRequestParams.model_construct(
        name="await_payment", arguments=None, request_state=state, input_responses=answers
    )
    assert await opening.RepeatedCallOpener(again).open(link, "Please approve", "link-1") == "cancel"


@pytest.mark.parametrize("error", [MCPError(code=-32603, message="no"), ValidationError.from_exception_data("x", [])])
async def test_in_the_handshake_era_a_client_that_fails_to_ask_opened_nothing(error: Exception) -> None:
    """An error, or an answer of a shape that is none, is no consent."""

    class Failing:
        request_id = 1

        @property
        def session(self) -> Failing:
            return self

        async def elicit_url(self, *arguments: object, **named: object) -> None:
            raise error

    opener = opening.RequestOpener(cast("Any", Failing()))
    link = check_link("https://bank.example/approve/1")
    assert await opener.open(link, "Please approve", "link-1") == "cancel"
