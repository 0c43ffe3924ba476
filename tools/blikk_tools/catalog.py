"""The tools that the server offers."""

from __future__ import annotations

from typing import Any

from blikk_tools import await_payment, create_payment, get_payment_status, list_payments
from blikk_tools.tool import Tool

ALL_TOOLS: tuple[Tool[Any], ...] = (
    create_payment.TOOL,
    get_payment_status.TOOL,
    await_payment.TOOL,
    list_payments.TOOL,
)


def catalog(*, read_only: bool) -> dict[str, Tool[Any]]:
    """The tools by name; read-only leaves out those that could move money."""
    return {tool.name: tool for tool in ALL_TOOLS if tool.annotations.read_only or not read_only}
