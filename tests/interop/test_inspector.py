"""The MCP Inspector's command line: what many a developer tries a server with first."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blikk_tools.catalog import ALL_TOOLS
from tests.interop.node import HERE, INSTALLED, SERVER, Node, result_of
from tests.interop.recorder import recorded_server, revision_spoken
from tests.interop.report import Row, npm_version

pytestmark = pytest.mark.node

INSPECTOR = str(INSTALLED / "@modelcontextprotocol" / "inspector" / "cli" / "build" / "cli.js")

PAYMENT = {
    "amount": "4900",
    "currency": "ISK",
    "creditor_name": "Kaffihúsið Kría ehf.",
    "creditor_ssn": "551073-0339",
    "creditor_iban": "IS14 0159 2600 7654 5510 7303 39",
    "idempotency_key": "inspector-order-1",
}


def inspect(*arguments: str) -> list[str]:
    return [INSPECTOR, "--cli", SERVER, "--sandbox", *arguments]


def calling(tool: str, **values: str) -> list[str]:
    pairs = [f"{name}={value}" for name, value in values.items()]
    return inspect("--method", "tools/call", "--tool-name", tool, *(["--tool-arg", *pairs] if pairs else []))


@pytest.fixture(scope="module")
def exercised(node: Node, clients: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], None]:
    """Notes for the page of clients what this one was exercised with."""
    folder: Path = tmp_path_factory.mktemp("inspector")
    node.answer(
        *(INSPECTOR, "--cli", recorded_server(folder), "--sandbox"),
        *("--method", "tools/call", "--tool-name", "list_payments"),
    )
    version, revision = npm_version(HERE, "@modelcontextprotocol/inspector"), revision_spoken(folder)
    return lambda what: clients.append(Row("MCP Inspector, CLI", version, revision, what))


def test_the_inspector_lists_the_tools_with_all_that_a_client_needs(
    node: Node, exercised: Callable[[str], None]
) -> None:
    """Every tool has a title, a description, both schemas and all four annotations."""
    tools: list[dict[str, Any]] = node.answer(*inspect("--method", "tools/list"))["tools"]
    assert [tool["name"] for tool in tools] == [
        "create_payment",
        "get_payment_status",
        "await_payment",
        "list_payments",
    ]
    for tool in tools:
        assert {"title", "description", "inputSchema", "outputSchema"} <= tool.keys()
        assert tool["annotations"].keys() == {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}
    exercised("every tool listed")


def test_the_inspector_lists_the_tools_without_a_key_and_a_call_names_the_setting(node: Node) -> None:
    """Catalogs list tools without a key; every call then says what is missing."""
    bare = [INSPECTOR, "--cli", SERVER]
    assert len(node.answer(*bare, "--method", "tools/list")["tools"]) == len(ALL_TOOLS)
    called = node.answer(
        *bare, "--method", "tools/call", "--tool-name", "get_payment_status", "--tool-arg", "payment_id=pay_1"
    )
    refused = result_of(called)
    assert refused["error_code"] == "not_configured"
    assert "BLIKK_API_KEY" in refused["error_message"]


def test_the_inspector_creates_a_payment(node: Node, exercised: Callable[[str], None]) -> None:
    """The answer says what a person has to do, with the link."""
    created = result_of(node.answer(*calling("create_payment", **PAYMENT)))
    assert (created["outcome"], created["human_action"]) == ("needs_human", "open_link")
    assert created["amount"] == 4900
    assert created["approval_url"] in created["human_instruction"]
    exercised("created")


@pytest.mark.parametrize("tool", ["get_payment_status", "await_payment"])
def test_the_inspector_calls_the_reading_tools(node: Node, tool: str) -> None:
    """A payment that nobody knows is a result with an error code, not a broken call."""
    answered = result_of(node.answer(*calling(tool, payment_id="pay_nobody_knows")))
    assert (answered["outcome"], answered["error_code"]) == ("unknown", "not_found")


def test_the_inspector_shows_a_refusal_as_a_result(node: Node, exercised: Callable[[str], None]) -> None:
    """A bad argument is named with its rule, in a result of the same shape."""
    refused = result_of(node.answer(*calling("create_payment", **{**PAYMENT, "creditor_ssn": "551073-033"})))
    assert (refused["outcome"], refused["error_code"]) == ("refused", "invalid_arguments")
    assert "creditor_ssn" in refused["error_message"]
    assert "551073" not in refused["error_message"]
    exercised("refused")


def test_the_inspector_reports_an_unknown_tool_as_a_protocol_error(node: Node) -> None:
    """MCP: an unknown tool is -32602."""
    ended: subprocess.CompletedProcess[str] = node.run(*calling("no_such_tool"))
    assert ended.returncode != 0
    assert "-32602" in ended.stderr
