"""The TypeScript SDK's clients, which most MCP hosts are made with: version 1, and version 2 in both eras."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.interop.node import HERE, SERVER, Node, result_of
from tests.interop.recorder import recorded_server, revision_spoken
from tests.interop.report import Row, npm_version

pytestmark = pytest.mark.node

Client = tuple[str, str]
"""A script, and for version 2 the mode in which it agrees on a revision."""

VERSION_1: Client = ("ts_sdk_v1_client.mjs", "")
VERSION_2_HANDSHAKE: Client = ("ts_sdk_v2_client.mjs", "legacy")
VERSION_2_NEGOTIATING: Client = ("ts_sdk_v2_client.mjs", "auto")
VERSION_2_MODERN: Client = ("ts_sdk_v2_client.mjs", "2026-07-28")

PROTOCOLS = {VERSION_2_HANDSHAKE: "2025-11-25", VERSION_2_NEGOTIATING: "2026-07-28", VERSION_2_MODERN: "2026-07-28"}
"""What each must agree on; version 1 does not tell."""


PACKAGES = {VERSION_1[0]: "@modelcontextprotocol/sdk", VERSION_2_MODERN[0]: "@modelcontextprotocol/client"}


def played(
    node: Node, client: Client, *, tick: bool | None = None, server: str = SERVER, **settings: str
) -> dict[str, Any]:
    """What the client saw. `tick` is what its person answers when asked; without one it cannot ask."""
    script, mode = client
    orders = {"command": server, "args": ["--sandbox"], "mode": mode, "tick": tick}
    return node.answer(str(HERE / script), json.dumps(orders), **settings)


@pytest.fixture(
    scope="module",
    params=[VERSION_1, *PROTOCOLS],
    ids=["version 1", "version 2 handshake", "version 2 negotiating", "version 2 modern"],
)
def seen(node: Node, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one client saw on its way through all tools."""
    folder: Path = tmp_path_factory.mktemp("recorded")
    report = played(node, request.param, server=recorded_server(folder))
    row = row_of(request.param, revision_spoken(folder), "every tool; refused; paid")
    return {"expected": PROTOCOLS.get(request.param), "row": row, **report}


def row_of(client: Client, revision: str, exercised: str) -> Row:
    """What the page of clients says of it."""
    script, _ = client
    number = 1 if client == VERSION_1 else 2
    return Row(f"TypeScript SDK, version {number}", npm_version(HERE, PACKAGES[script]), revision, exercised)


def test_the_client_lists_and_calls_every_tool(seen: dict[str, Any], clients: list[Row]) -> None:
    """Every client gets the same; this one also validates each result against the tool's output schema."""
    assert seen.get("protocol") == seen["expected"]
    assert seen["server"]["name"] == "blikk-mcp"
    assert [tool["name"] for tool in seen["tools"]] == [
        "create_payment",
        "get_payment_status",
        "await_payment",
        "list_payments",
    ]
    created, status, waited = (result_of(seen[step]) for step in ("created", "status", "waited"))
    assert (created["outcome"], created["human_action"]) == ("needs_human", "open_link")
    assert {created["payment_id"]} == {status["payment_id"], waited["payment_id"]}
    assert (waited["outcome"], waited["approval_url"]) == ("needs_human", created["approval_url"])
    assert result_of(seen["paid"])["outcome"] == "paid"
    clients.append(seen["row"])


def test_errors_reach_the_client_whole(seen: dict[str, Any]) -> None:
    """Version 1 throws on an error result that breaks the output schema; MCP: an unknown tool is -32602."""
    refused = result_of(seen["refused"])
    assert (refused["outcome"], refused["error_code"]) == ("refused", "invalid_arguments")
    assert refused["error_message"].startswith("amount: ")
    assert seen["unknown_tool"] == -32602


@pytest.mark.parametrize("client", [VERSION_1, VERSION_2_MODERN], ids=["handshake era", "modern era"])
@pytest.mark.parametrize(
    ("tick", "outcome", "error_code"),
    [
        (True, "needs_human", ""),
        (False, "refused", "confirmation_declined"),
        (None, "refused", "confirmation_required"),
    ],
    ids=["confirmed", "box left unticked", "nobody to ask"],
)
def test_a_person_is_asked_above_the_threshold(
    node: Node, client: Client, tick: bool | None, outcome: str, error_code: str, clients: list[Row], tmp_path: Path
) -> None:
    """Above the operator's threshold a person confirms through the client, in either era, or nothing is sent."""
    report = played(node, client, tick=tick, server=recorded_server(tmp_path), BLIKK_ASK_ABOVE_ISK="1000")
    created = result_of(report["created"])
    assert (created["outcome"], created["error_code"]) == (outcome, error_code)
    assert ["4,900 ISK" in question for question in report["asked"]] == ([] if tick is None else [True])
    assert result_of(report["paid"])["outcome"] == "paid"
    clients.append(row_of(client, revision_spoken(tmp_path), "a person asked above the threshold"))
