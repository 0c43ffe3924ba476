"""Ask the client to open the approval link for the person, where it declared that it can.

In the handshake era a request goes to the client beside the polling; in the modern era the call returns the link and is
repeated with the person's answer and our sealed state.
"""

from __future__ import annotations

import hashlib
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from blikk_mcp.desk.asking import AnswerNeeded
from blikk_payments.channel.links import Link
from blikk_tools.link_history import Answer, Opener

FIRST_VERSION_WITH_QUESTIONS = "2025-06-18"
"""Links came with 2025-11-25, but Codex speaks 2025-06-18 and declares them: what a client says it can do, it can do."""

LINK = "approval_link"


def opener_for(ctx: ServerRequestContext[Any, Any], params: types.CallToolRequestParams) -> Opener | None:
    """The client's way to open a link, if it declared one in a revision that has questions."""
    capabilities = ctx.session.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    if elicitation is None or elicitation.url is None or ctx.protocol_version < FIRST_VERSION_WITH_QUESTIONS:
        return None
    if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
        return RepeatedCallOpener(params)
    return RequestOpener(ctx)


class RequestOpener:
    """Sends the link to the client and waits for the answer."""

    def __init__(self, ctx: ServerRequestContext[Any, Any]) -> None:
        self._ctx = ctx

    async def open(self, link: Link, message: str, link_id: str) -> Answer:
        """Ask, and read the answer; a client that fails to ask, or answers nonsense, has closed the question."""
        try:
            answer = await self._ctx.session.elicit_url(
                message, link.url, link_id, related_request_id=self._ctx.request_id
            )
        except (MCPError, ValidationError):
            return "cancel"
        return answer.action

    async def finished(self, link_id: str) -> None:
        """The completion notice."""
        await self._ctx.session.send_elicit_complete(link_id, related_request_id=self._ctx.request_id)


class RepeatedCallOpener:
    """Returns the link, and reads the answer from the repeated call."""

    def __init__(self, params: types.CallToolRequestParams) -> None:
        self._params = params

    async def open(self, link: Link, message: str, link_id: str) -> Answer:
        """The answer that this call brings to exactly this link.

        Raises:
            AnswerNeeded: it brings none.
        """
        answer = (self._params.input_responses or {}).get(LINK)
        state = hashlib.sha256(link.url.encode()).hexdigest()
        if self._params.request_state == state:
            return answer.action if isinstance(answer, types.ElicitResult) else "cancel"
        request = types.ElicitRequest(params=types.ElicitRequestURLParams(message=message, url=link.url))
        raise AnswerNeeded(types.InputRequiredResult(input_requests={LINK: request}, request_state=state))

    async def finished(self, link_id: str) -> None:
        """Nothing: the modern era has no completion notice."""
