"""The payment as a card in the chat, for hosts with the MCP Apps extension."""

from typing import Final

EXTENSION: Final = "io.modelcontextprotocol/ui"
