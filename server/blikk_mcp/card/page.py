"""The card's page: one self-contained HTML resource, linked from every tool, and the same for every payment.

The extension is `io.modelcontextprotocol/ui` (https://github.com/modelcontextprotocol/ext-apps, revision 2026-01-26).
The page declares that it reaches nothing, and holds itself to it with a policy of hashes of its own.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any, Final

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError

from blikk_tools.tool import Tool

URI: Final = "ui://blikk/payment-card.html"
MIME_TYPE: Final = "text/html;profile=mcp-app"

RESOURCE_META: Final[dict[str, Any]] = {
    "ui": {
        "csp": {"connectDomains": [], "resourceDomains": [], "frameDomains": [], "baseUriDomains": []},
        "prefersBorder": True,
    }
}

_Context = ServerRequestContext[Any, Any]


def tool_meta(tool: Tool[Any]) -> dict[str, Any]:
    """Link a tool to the card. What can move money is for the model alone: a card may not call it."""
    if not tool.card:
        return {}
    ui: dict[str, Any] = {"resourceUri": URI}
    return {"ui": ui if tool.annotations.read_only else {**ui, "visibility": ["model"]}}


async def list_resources(ctx: _Context, params: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
    """`resources/list`: the card, and nothing else."""
    card = types.Resource(
        uri=URI, name="payment-card", title="Payment card", mime_type=MIME_TYPE, _meta=dict(RESOURCE_META)
    )
    return types.ListResourcesResult(resources=[card])


async def read_resource(ctx: _Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
    """`resources/read`: the card.

    Raises:
        MCPError: it is another resource; the address is the caller's text and is not repeated.
    """
    if params.uri != URI:
        raise MCPError(code=types.INVALID_PARAMS, message="Unknown resource")
    card = types.TextResourceContents(uri=URI, mime_type=MIME_TYPE, text=page(), _meta=dict(RESOURCE_META))
    return types.ReadResourceResult(contents=[card])


@cache
def page() -> str:
    """The whole page: its frame with style and script inline, each allowed by its hash."""
    folder = Path(__file__).parent
    frame, style, script = (
        (folder / name).read_text(encoding="utf-8") for name in ("card.html", "card.css", "card.js")
    )
    policy = (
        f"default-src 'none'; script-src {_source(script)}; style-src {_source(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return frame.replace("%POLICY%", policy).replace("%STYLE%", style).replace("%SCRIPT%", script)


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
