"""Requests about tasks, and who may use them: MCP's extension for results that are fetched later (SEP-2663).

It exists in the modern era alone, and for a client alone that declares it in the very request.
"""

from __future__ import annotations

from typing import Any, Final

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

EXTENSION: Final = "io.modelcontextprotocol/tasks"


class TaskParams(types.RequestParams):
    """What `tasks/get`, `tasks/cancel` and `tasks/update` are sent."""

    task_id: str


def takes_tasks(ctx: ServerRequestContext[Any, Any]) -> bool:
    """Whether this request may be answered with a task."""
    capabilities = ctx.session.client_capabilities
    declared = (capabilities.extensions if capabilities else None) or {}
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS and EXTENSION in declared


def check_takes_tasks(ctx: ServerRequestContext[Any, Any]) -> None:
    """Refuse a question about tasks by a client that has none.

    Raises:
        MCPError: in the handshake era there is no such method; in the modern one the client has to declare the extension.
    """
    if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        raise MCPError(code=types.METHOD_NOT_FOUND, message="Method not found", data=ctx.method)
    if not takes_tasks(ctx):
        raise MCPError(
            code=types.MISSING_REQUIRED_CLIENT_CAPABILITY,
            message="Missing required client capability",
            data={"requiredCapabilities": {"extensions": {EXTENSION: {}}}},
        )
