"""Read what a repeated call brings back: our state, sealed by the SDK to tool and arguments, and a person's answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import mcp_types as types
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from pydantic import ValidationError

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


async def read_answers(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """The middleware: an answer of a shape that is none becomes `cancel`, and the call is answered and not refused."""
    if ctx.params is None or "inputResponses" not in ctx.params:
        return await call_next(ctx)
    given: object = ctx.params["inputResponses"]
    entries: Mapping[str, object] = cast("Any", given) if isinstance(given, Mapping) else {}
    answers = {name: _answer(answer) for name, answer in entries.items()}
    return await call_next(replace(ctx, params={**ctx.params, "inputResponses": answers}))


def _answer(answer: object) -> object:
    try:
        types.ElicitResult.model_validate(answer, by_name=False)
    except ValidationError:
        return {"action": "cancel"}
    return answer
