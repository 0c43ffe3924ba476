"""The surface, held whole: every change of what clients and models see is a visible diff.

`make docs` writes the snapshots anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client

from blikk_mcp import __version__
from blikk_mcp.app import running_app
from blikk_mcp.redaction.redactor import Redactor
from blikk_mcp.settings.values import SettingsError
from tests.server.running import MODERN_META, spawned

pytestmark = pytest.mark.anyio

FOLDER = Path(__file__).parent / "snapshots"
TOOLS = ("create_payment", "get_payment_status", "await_payment", "list_payments")


def check(name: str, value: Any) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    file = FOLDER / f"{name}.json"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        FOLDER.mkdir(exist_ok=True)
        file.write_text(text)
    assert file.read_text() == text, f"{file.name} differs from what the server says; `make docs` writes it anew"


@pytest.mark.parametrize("tool", TOOLS)
async def test_a_tool_is_what_its_snapshot_says(tool: str) -> None:
    """One snapshot file a tool."""
    async with running_app(SettingsError([]), Redactor([])) as server, Client(server) as client:
        listed = {item.name: item for item in (await client.list_tools()).tools}
    assert set(listed) == set(TOOLS)
    check(tool, listed[tool].model_dump(by_alias=True, exclude_none=True, mode="json"))


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
async def test_the_handshake_and_the_list_are_static(version: str) -> None:
    """For given settings both answers are the same, every time."""
    async with spawned({}) as server:
        initialized = (await server.initialize(version))["result"]
        listed = (await server.ask("tools/list"))["result"]
        assert (await server.ask("tools/list"))["result"] == listed
    assert initialized["serverInfo"].pop("version") == __version__
    check(f"initialize-{version}", initialized)
    check(f"tools-list-{version}", listed)


async def test_the_modern_discovery_and_list_are_static() -> None:
    """The same in the era without a handshake."""
    async with spawned({}) as server:
        discovered = (await server.ask("server/discover", {"_meta": MODERN_META}))["result"]
        listed = (await server.ask("tools/list", {"_meta": MODERN_META}))["result"]
    for result in (discovered, listed):
        result["_meta"]["io.modelcontextprotocol/serverInfo"].pop("version")
    check("discover-2026-07-28", discovered)
    check("tools-list-2026-07-28", listed)


async def test_the_list_keeps_its_weight() -> None:
    """What every conversation pays for: 2,400 tokens at most, 1,100 without the output schemas."""
    async with spawned({}) as server:
        await server.initialize()
        tools = (await server.ask("tools/list"))["result"]["tools"]

    def weight() -> float:
        return len(json.dumps(tools, separators=(",", ":"), ensure_ascii=False).encode()) / 4

    assert weight() <= 2400
    for tool in tools:
        del tool["outputSchema"]
    assert weight() <= 1100
