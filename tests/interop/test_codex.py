"""OpenAI's Codex, driven through its app-server without a model: what an editor with Codex in it gets from our server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blikk_sandbox.person import approve
from blikk_sandbox.running import RunningSandbox
from tests.expecting import assert_fields
from tests.interop.codex.app_server import HERE, Codex, Era, Person, installed_codex, running_codex
from tests.interop.node import result_of
from tests.interop.report import Row, npm_version
from tests.sandbox_control import paid, received
from tests.server.running import PAYMENT, environment

pytestmark = [pytest.mark.anyio, pytest.mark.node]

ERAS = pytest.mark.parametrize("era", ["handshake", "modern"])
REVISIONS: dict[Era, str] = {"handshake": "2025-06-18", "modern": "2026-07-28"}
"""What Codex speaks as it comes, and what it speaks where both its feature and the server's entry ask for it."""

YES: dict[str, Any] = {"action": "accept", "content": {"confirm": True}}
NO: dict[str, list[dict[str, Any]]] = {
    "confirmation_declined": [{"action": "decline"}, {"action": "accept", "content": {"confirm": False}}],
    "confirmation_required": [{"action": "cancel"}],
}
"""What is no yes, by what comes of it: a question that was closed may never have been seen."""


@pytest.fixture(scope="module")
def program() -> Path:
    """Codex, installed."""
    return installed_codex()


@pytest.fixture
def environ(sandbox: RunningSandbox, tmp_path: Path) -> dict[str, str]:
    """The settings of a server that pays into the sandbox."""
    return environment(sandbox, tmp_path)


@pytest.fixture
def asking(environ: dict[str, str]) -> dict[str, str]:
    """The same, where a person has to confirm the payment."""
    return {**environ, "BLIKK_ASK_ABOVE_ISK": "500"}


def row(revision: str, exercised: str) -> Row:
    """What the page of clients says of it."""
    return Row("Codex, `app-server`", npm_version(HERE, "@openai/codex"), revision, exercised)


async def called(codex: Codex, tool: str, **arguments: Any) -> dict[str, Any]:
    """A tool's structured result, the same in both halves."""
    return result_of((await codex.call(tool, **arguments))["result"])


@ERAS
async def test_codex_lists_the_three_tools(program: Path, environ: dict[str, str], tmp_path: Path, era: Era) -> None:
    """Every client gets the same four tools, with all that it shows to people and to its model."""
    async with running_codex(program, era, environ, tmp_path) as codex:
        server = await codex.listed()
    assert server["serverInfo"]["name"] == "blikk-mcp"
    assert server["tools"].keys() == {"create_payment", "get_payment_status", "await_payment", "list_payments"}
    for tool in server["tools"].values():
        assert {"title", "description", "inputSchema", "outputSchema", "annotations"} <= tool.keys()


@ERAS
async def test_a_payment_through_codex_is_approved_by_its_link_and_ends_paid(
    program: Path, environ: dict[str, str], sandbox: RunningSandbox, tmp_path: Path, era: Era, clients: list[Row]
) -> None:
    """The answer has the link, and waiting as `next_step` says ends with what the bank did."""
    async with running_codex(program, era, environ, tmp_path) as codex:
        created = await called(codex, "create_payment", **PAYMENT)
        assert (created["outcome"], created["human_action"]) == ("needs_human", "open_link")
        assert created["approval_url"] in created["human_instruction"]
        looked = await called(codex, "get_payment_status", payment_id=created["payment_id"])
        assert looked["approval_url"] == created["approval_url"]
        await approve(created["approval_url"])
        ended = await called(codex, "await_payment", payment_id=created["payment_id"], human_informed=True)
        revision, _ = codex.declared()
    assert (ended["outcome"], paid(sandbox)) == ("paid", [created["payment_id"]])
    clients.append(row(revision, "paid"))


@ERAS
async def test_a_yes_given_in_codex_lets_the_payment_pass(
    program: Path, asking: dict[str, str], sandbox: RunningSandbox, tmp_path: Path, era: Era, clients: list[Row]
) -> None:
    """Above BLIKK_ASK_ABOVE_ISK a person confirms through the client before anything is sent."""
    person = Person([YES])
    async with running_codex(program, era, asking, tmp_path, person) as codex:
        created = await called(codex, "create_payment", **PAYMENT)
        revision, _ = codex.declared()
    assert created["outcome"] == "needs_human"
    (asked,) = person.asked
    assert (asked["serverName"], asked["mode"]) == ("blikk", "form")
    assert "1,000 ISK" in asked["message"]
    assert len(received(sandbox)) == 1
    clients.append(row(revision, "a person asked above the threshold"))


@ERAS
async def test_anything_but_a_yes_given_in_codex_sends_nothing(
    program: Path, asking: dict[str, str], sandbox: RunningSandbox, tmp_path: Path, era: Era
) -> None:
    """Declined, closed and left unticked: none of them is a yes."""
    person = Person([answer for answers in NO.values() for answer in answers])
    async with running_codex(program, era, asking, tmp_path, person) as codex:
        for code, answers in NO.items():
            for _ in answers:
                refused = await called(codex, "create_payment", **PAYMENT)
                assert (refused["outcome"], refused["error_code"]) == ("refused", code)
    assert len(person.asked) == sum(map(len, NO.values()))
    assert received(sandbox) == []


async def test_codex_hands_the_link_over_while_the_payment_is_waited_for(
    program: Path, environ: dict[str, str], sandbox: RunningSandbox, tmp_path: Path, clients: list[Row]
) -> None:
    """MCP, URL elicitation: Codex declares it, in 2025-06-18 already; the wait ends with what the bank did."""
    person = Person([{"action": "accept"}], approves=True)
    async with running_codex(program, "handshake", environ, tmp_path, person) as codex:
        created = await called(codex, "create_payment", **PAYMENT)
        ended = await called(codex, "await_payment", payment_id=created["payment_id"], wait_seconds=20)
        assert "notifications/elicitation/complete" in codex.notifications()
        revision, _ = codex.declared()
    (asked,) = person.asked
    assert_fields(asked, serverName="blikk", mode="url", url=created["approval_url"])
    assert "1,000 ISK" in asked["message"]
    assert (ended["outcome"], paid(sandbox)) == ("paid", [created["payment_id"]])
    clients.append(row(revision, "the link opened by the client"))


async def test_a_person_who_does_not_open_the_link_in_codex_has_paid_nothing(
    program: Path, environ: dict[str, str], sandbox: RunningSandbox, tmp_path: Path
) -> None:
    """Declined is reported as what it is, with the link in the ordinary result."""
    person = Person([{"action": "decline"}])
    async with running_codex(program, "handshake", environ, tmp_path, person) as codex:
        created = await called(codex, "create_payment", **PAYMENT)
        waited = await called(codex, "await_payment", payment_id=created["payment_id"])
    assert (waited["outcome"], waited["approval_url"]) == ("needs_human", created["approval_url"])
    assert "Opening the link was declined" in waited["warnings"]
    assert (len(person.asked), paid(sandbox)) == (1, [])


async def test_a_link_that_codex_cannot_read_loses_nothing(
    program: Path, environ: dict[str, str], sandbox: RunningSandbox, tmp_path: Path
) -> None:
    """Codex 0.171.0 still wants an `elicitationId`, which 2026-07-28 took out; it says so, and the payment goes on."""
    person = Person()
    async with running_codex(program, "modern", environ, tmp_path, person) as codex:
        created = await called(codex, "create_payment", **PAYMENT)
        failed = await codex.call("await_payment", payment_id=created["payment_id"])
        assert failed["error"]["message"] == "unsupported MCP input request"
        assert (person.asked, paid(sandbox)) == ([], [])
        await approve(created["approval_url"])
        ended = await called(codex, "await_payment", payment_id=created["payment_id"], human_informed=True)
        (question,) = codex.questions()
        assert question["params"].keys() == {"mode", "message", "url"}
    assert (ended["outcome"], paid(sandbox)) == ("paid", [created["payment_id"]])


@ERAS
async def test_nothing_is_sent_to_codex_that_it_did_not_declare(
    program: Path, asking: dict[str, str], tmp_path: Path, era: Era
) -> None:
    """MCP: a server must not send what the client did not declare; this pins what Codex declares, too."""
    async with running_codex(program, era, asking, tmp_path, Person([YES])) as codex:
        created = await called(codex, "create_payment", **PAYMENT)
        await called(codex, "get_payment_status", payment_id=created["payment_id"])
        await called(codex, "await_payment", payment_id=created["payment_id"], human_informed=True, wait_seconds=1)
        revision, capabilities = codex.declared()
        assert revision == REVISIONS[era]
        assert capabilities.pop("experimental") == {"codex/auth-change": {}}
        assert capabilities == {"elicitation": {"form": {}, "url": {}}}
        (question,) = codex.questions()
        assert (question["method"], question["params"].get("mode", "form")) == ("elicitation/create", "form")
        assert set(codex.notifications()) <= {"notifications/progress"}
