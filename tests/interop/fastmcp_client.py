"""FastMCP's client: makes a payment, has the person approve it, waits, and tells what it saw as JSON.

Run by `test_python_clients.py` in an environment that has FastMCP: `fastmcp_client.py MODE COMMAND PYTHON PAYMENT`.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from importlib.metadata import version
from typing import Any

from fastmcp.client import Client
from fastmcp.client.transports import StdioTransport

APPROVING = "import sys; from blikk_sandbox.person import approve_now; approve_now(sys.argv[1])"


async def main(mode: Any, command: str, python: str, payment: str) -> None:
    """One payment."""
    async with Client(StdioTransport(command, ["--sandbox"]), mode=mode) as client:
        tools = [tool.name for tool in await client.list_tools()]

        async def call(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
            return dict((await client.call_tool(tool, arguments)).structured_content or {})

        created = await call("create_payment", json.loads(payment))
        named = {"payment_id": created["payment_id"]}
        told = await call("await_payment", named)
        await asyncio.to_thread(subprocess.run, [python, "-c", APPROVING, told["approval_url"]], check=True)
        ended = await call("await_payment", {**named, "human_informed": True})
    report = {"tools": tools, "told": told, "ended": ended, "version": version("fastmcp-slim")}
    sys.stdout.write(json.dumps(report))


asyncio.run(main(*sys.argv[1:]))
