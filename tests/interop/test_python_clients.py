"""Python's clients as they start a server themselves: the SDK's own, and FastMCP's, in both eras."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

from blikk_sandbox.person import approve
from tests.examples.environments import python_of, run
from tests.interop.node import HERE
from tests.interop.recorder import recorded_server, revision_spoken
from tests.interop.report import Row
from tests.server.running import PAYMENT, call

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

TOOLS = ["create_payment", "get_payment_status", "await_payment", "list_payments"]
Mode = Literal["legacy", "auto"]
ERAS = pytest.mark.parametrize("mode", ["legacy", "auto"], ids=["handshake era", "modern era"])


@ERAS
async def test_the_sdks_own_client_pays(mode: Mode, tmp_path: Path, clients: list[Row]) -> None:
    """The main job, with the server started by the client: listed, created, approved, paid."""
    server = StdioServerParameters(command=recorded_server(tmp_path), args=["--sandbox"])
    async with Client(server, mode=mode) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == TOOLS
        created = await call(client, "create_payment", PAYMENT)
        told = await call(client, "await_payment", {"payment_id": created["payment_id"]})
        await approve(told["approval_url"])
        waiting = {"payment_id": created["payment_id"], "human_informed": True}
        assert (await call(client, "await_payment", waiting))["outcome"] == "paid"
    clients.append(Row("Python SDK", version("mcp"), revision_spoken(tmp_path), "paid"))


@ERAS
def test_fastmcps_client_pays(mode: Mode, tmp_path: Path, clients: list[Row]) -> None:
    """The same with the client that Pydantic AI and others are made with, in an environment of its own."""
    command = [python_of("pydantic-ai"), str(HERE / "fastmcp_client.py"), mode, recorded_server(tmp_path)]
    ended: subprocess.CompletedProcess[str] = run(*command, sys.executable, json.dumps(dict(PAYMENT)))
    assert ended.returncode == 0, ended.stderr
    seen: dict[str, Any] = json.loads(ended.stdout)
    assert seen["tools"] == TOOLS
    assert (seen["told"]["outcome"], seen["ended"]["outcome"]) == ("needs_human", "paid")
    clients.append(Row("FastMCP", seen["version"], revision_spoken(tmp_path), "paid"))
