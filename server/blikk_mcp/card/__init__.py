"""The card that hosts with the MCP Apps extension show beside a payment: its page, and what a result tells it."""
