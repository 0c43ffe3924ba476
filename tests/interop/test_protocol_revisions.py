"""Every revision of the protocol over real stdio, spoken by hand: no SDK stands between the test and the wire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from blikk_sandbox.running import RunningSandbox
from tests.interop.node import result_of
from tests.server.running import PAYMENT, Process, environment, spawned

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

TOOLS = ["create_payment", "get_payment_status", "await_payment", "list_payments"]
HANDSHAKE = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]
MODERN = "2026-07-28"


def envelope(revision: str = MODERN) -> dict[str, Any]:
    """What each request of the modern era brings along."""
    return {
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": revision,
            "io.modelcontextprotocol/clientInfo": {"name": "by-hand", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    }


@pytest.fixture
def environ(sandbox: RunningSandbox, tmp_path: Path) -> dict[str, str]:
    """The settings of a server that pays into the sandbox."""
    return environment(sandbox, tmp_path)


async def play(server: Process, common: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List, create, look, wait, and be refused; every answer as it came."""

    async def call(tool: str, **arguments: Any) -> dict[str, Any]:
        answer = await server.ask("tools/call", {"name": tool, "arguments": arguments, **common})
        return answer["result"]

    listed = (await server.ask("tools/list", common))["result"]
    assert [tool["name"] for tool in listed["tools"]] == TOOLS
    created = await call("create_payment", **PAYMENT)
    payment_id = result_of(created)["payment_id"]
    looked = await call("get_payment_status", payment_id=payment_id)
    waited = await call("await_payment", payment_id=payment_id, wait_seconds=5)
    assert {result_of(answer)["outcome"] for answer in (created, looked, waited)} == {"needs_human"}
    refused = await call("create_payment", **{**PAYMENT, "amount": "1000"})
    assert result_of(refused)["error_code"] == "invalid_arguments"
    unknown = await server.ask("tools/call", {"name": "no_such_tool", "arguments": {}, **common})
    assert unknown["error"]["code"] == -32602
    return [listed, created, looked, waited, refused]


@pytest.mark.parametrize("revision", HANDSHAKE)
async def test_a_client_of_the_handshake_era_gets_its_own_revision(environ: dict[str, str], revision: str) -> None:
    """MCP, lifecycle: the server answers with the client's version if it knows it; later eras' fields stay away."""
    async with spawned(environ) as server:
        answer = await server.initialize(revision)
        assert answer["result"]["protocolVersion"] == revision
        assert answer["result"]["serverInfo"]["name"] == "blikk-mcp"
        assert (await server.ask("ping"))["result"] == {}
        for result in await play(server, {}):
            assert "resultType" not in result


async def test_a_client_that_asks_for_an_unknown_revision_is_offered_one_that_exists(environ: dict[str, str]) -> None:
    """MCP, lifecycle: otherwise the server must answer with another version that it supports."""
    async with spawned(environ) as server:
        answer = await server.initialize("1999-12-31")
        assert answer["result"]["protocolVersion"] == HANDSHAKE[-1]


async def test_a_client_of_the_modern_era_needs_no_handshake(environ: dict[str, str]) -> None:
    """MCP 2026-07-28: each request stands alone and each result says whether it is complete."""
    async with spawned(environ) as server:
        for result in await play(server, envelope()):
            assert result["resultType"] == "complete"


async def test_a_request_without_the_envelope_is_refused_in_the_modern_era(environ: dict[str, str]) -> None:
    """MCP 2026-07-28: version and capabilities are required on every request; one without them changes nothing."""
    async with spawned(environ) as server:
        assert "result" in await server.ask("tools/list", envelope())
        assert (await server.ask("tools/list", {}))["error"]["code"] == -32602
        assert "result" in await server.ask("tools/list", envelope())


async def test_an_unknown_modern_revision_is_answered_with_those_that_exist(environ: dict[str, str]) -> None:
    """MCP 2026-07-28: -32022 carries the supported versions, so that the client can choose one."""
    async with spawned(environ) as server:
        answer = await server.ask("tools/list", envelope("2099-01-01"))
        assert answer["error"]["code"] == -32022
        assert answer["error"]["data"]["supported"] == [MODERN]
        assert "result" in await server.ask("tools/list", envelope())


@pytest.mark.parametrize("probe", [envelope(), {}], ids=["with the envelope", "without it"])
@pytest.mark.parametrize("revision", [HANDSHAKE[0], HANDSHAKE[-1]])
async def test_a_probe_may_be_followed_by_a_handshake_on_the_same_stream(
    environ: dict[str, str], probe: dict[str, Any], revision: str
) -> None:
    """Some clients send `server/discover` first and then `initialize`; whatever the probe gets, the handshake stands."""
    async with spawned(environ) as server:
        probed = await server.ask("server/discover", probe)
        assert ("result" in probed) is bool(probe)
        assert (await server.initialize(revision))["result"]["protocolVersion"] == revision
        await play(server, {})


async def test_a_probe_repeated_is_answered_each_time(environ: dict[str, str]) -> None:
    """MCP 2026-07-28: `server/discover` may be sent at any time, and the era that follows is served."""
    async with spawned(environ) as server:
        answers = [await server.ask("server/discover", envelope()) for _ in range(3)]
        assert all(MODERN in answer["result"]["supportedVersions"] for answer in answers)
        await play(server, envelope())
        assert MODERN in (await server.ask("server/discover", envelope()))["result"]["supportedVersions"]


async def test_the_answers_to_initialize_and_list_are_the_same_each_time(environ: dict[str, str]) -> None:
    """For given settings both are static, so that clients may cache them."""
    seen: set[str] = set()
    for _ in range(2):
        async with spawned(environ) as server:
            answers = [await server.initialize(), await server.ask("tools/list")]
            seen.add(json.dumps([answer["result"] for answer in answers]))
    assert len(seen) == 1
