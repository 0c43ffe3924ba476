"""Links that install the server in an editor with one click."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote, urlencode

from blikk_mcp.commands.clients import CLIENTS, KEY, NAME
from blikk_packages.plugin import cursor_entry
from blikk_packages.product import Product

VSCODE = "https://insiders.vscode.dev/redirect/mcp/install"
CURSOR = "https://cursor.com/en/install-mcp"


def vscode_link(product: Product) -> str:
    """For VS Code, which asks for the key and keeps it."""
    client = CLIENTS["vscode"]
    entry = client.entry(product.server({KEY: client.reference}))
    return _link(VSCODE, name=NAME, inputs=_short(client.beside["inputs"]), config=_short(entry))


def cursor_link(product: Product) -> str:
    """For Cursor, which takes the key from its own environment."""
    config = base64.b64encode(_short(cursor_entry(product)).encode()).decode("ascii")
    return _link(CURSOR, name=NAME, config=config)


def _link(page: str, **query: str) -> str:
    # Not every reader of such a link takes "+" for a space.
    return f"{page}?{urlencode(query, quote_via=quote)}"


def _short(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
