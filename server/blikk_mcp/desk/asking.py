"""Asking a person through the client, in both eras of the protocol.

In the handshake era a form is sent to the client while the call waits. In the modern era the call returns what it
needs, and the client repeats it with the person's answer and our state, which is sealed to tool and arguments; the
answer counts only for the question that the state was made for.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from blikk_payments.collaborators import Asker
from blikk_payments.models import Question
from blikk_tools.instructions import Presentation

ASK_SECONDS = 120.0
"""How long a person may take to answer; after that nothing is sent."""

BOX = "confirm"
FIRST_VERSION_WITH_FORMS = "2025-06-18"


class AnswerNeeded(Exception):
    """The call has to be repeated by the client with a person's answer."""

    def __init__(self, result: types.InputRequiredResult) -> None:
        super().__init__("a person's answer is needed")
        self.result = result


def asker_for(
    ctx: ServerRequestContext[Any, Any], params: types.CallToolRequestParams, presentation: Presentation
) -> Asker | None:
    """The way to a person that this client declared, or None."""
    if not can_show_forms(ctx.session.client_capabilities) or ctx.protocol_version < FIRST_VERSION_WITH_FORMS:
        return None
    if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
        return _RepeatedCallAsker(params, presentation)
    return _FormAsker(ctx, presentation)


def can_show_forms(capabilities: types.ClientCapabilities | None) -> bool:
    """Whether the client declared form elicitation; an empty declaration means forms only."""
    elicitation = capabilities.elicitation if capabilities else None
    return elicitation is not None and (elicitation.form is not None or elicitation.url is None)


class _FormAsker:
    """Sends a form and waits."""

    def __init__(self, ctx: ServerRequestContext[Any, Any], presentation: Presentation) -> None:
        self._ctx = ctx
        self._presentation = presentation

    async def confirm(self, question: Question) -> bool:
        """True only if the person accepted and ticked the box in time."""
        with anyio.move_on_after(ASK_SECONDS):
            try:
                answer = await self._ctx.session.elicit_form(
                    self._presentation.question(question),
                    _form(self._presentation),
                    related_request_id=self._ctx.request_id,
                )
            except MCPError:
                return False
            return _is_yes(answer)
        return False


class _RepeatedCallAsker:
    """Returns the question, and reads the answer from the repeated call."""

    def __init__(self, params: types.CallToolRequestParams, presentation: Presentation) -> None:
        self._params = params
        self._presentation = presentation

    async def confirm(self, question: Question) -> bool:
        """True only if this call brings a yes to exactly this question.

        Raises:
            AnswerNeeded: it brings no answer, or one to another question.
        """
        answer = (self._params.input_responses or {}).get(BOX)
        if answer is not None and self._params.request_state == _digest(question):
            return isinstance(answer, types.ElicitResult) and _is_yes(answer)
        request = types.ElicitRequest(
            params=types.ElicitRequestFormParams(
                message=self._presentation.question(question), requested_schema=_form(self._presentation)
            )
        )
        raise AnswerNeeded(types.InputRequiredResult(input_requests={BOX: request}, request_state=_digest(question)))


def _form(presentation: Presentation) -> dict[str, Any]:
    box = {"type": "boolean", "title": presentation.tick_box(), "default": False}
    return {"type": "object", "properties": {BOX: box}, "required": [BOX]}


def _is_yes(answer: types.ElicitResult) -> bool:
    return answer.action == "accept" and (answer.content or {}).get(BOX) is True


def _digest(question: Question) -> str:
    fields = {**asdict(question), "kinds": sorted(question.kinds)}
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
