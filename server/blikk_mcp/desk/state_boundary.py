"""The state that a repeated call brings back, sealed to tool and arguments by the SDK; loaded when there is some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

STATE_SECONDS = 600.0
"""How long a person's answer may take to come back."""


class LazyStateBoundary:
    """Seals and opens the state of repeated calls, and loads the cryptography for it when there is some."""

    def __init__(self) -> None:
        self._boundary: Any = None

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """The middleware: calls without state pass through untouched."""
        if ctx.params is not None and ctx.params.get("requestState") is not None:
            return await self._sealing()(ctx, call_next)
        result = await call_next(ctx)
        if not isinstance(result, Mapping) or cast("Mapping[str, Any]", result).get("resultType") != "input_required":
            return result

        async def ready(_: ServerRequestContext[Any, Any]) -> HandlerResult:
            return result

        return await self._sealing()(ctx, ready)

    def _sealing(self) -> Any:
        if self._boundary is None:
            from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity

            security = RequestStateSecurity.ephemeral(ttl=STATE_SECONDS)
            self._boundary = RequestStateBoundary(security, default_audience="blikk-mcp")
        return self._boundary
