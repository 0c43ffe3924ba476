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
from pydantic import ValidationError

from blikk_payments.collaborators import Asker
from blikk_payments.models import Confirmation, Question
from blikk_tools.instructions import Presentation
from blikk_tools.tool import Progress

ASK_SECONDS = 50.0
"""How long a person may take to answer: TypeScript clients give a call up at 60 s."""

TICK_SECONDS = 3.0
"""How often a call that asks reports that it still waits for the answer."""

BOX = "confirm"
FIRST_VERSION_WITH_FORMS = "2025-06-18"


class AnswerNeeded(Exception):
    """The call has to be repeated by the client with a person's answer."""

    def __init__(self, result: types.InputRequiredResult) -> None:
        super().__init__("a person's answer is needed")
        self.result = result


def asker_for(
    ctx: ServerRequestContext[Any, Any],
    params: types.CallToolRequestParams,
    presentation: Presentation,
    progress: Progress,
) -> Asker | None:
    """Find the way to a person that this client declared, or None."""
    if not can_show_forms(ctx.session.client_capabilities) or ctx.protocol_version < FIRST_VERSION_WITH_FORMS:
        return None
    if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
        return _RepeatedCallAsker(params, presentation)
    return _FormAsker(ctx, presentation, progress)


def can_show_forms(capabilities: types.ClientCapabilities | None) -> bool:
    """Tell whether the client declared form elicitation; an empty declaration means forms only."""
    elicitation = capabilities.elicitation if capabilities else None
    return elicitation is not None and (elicitation.form is not None or elicitation.url is None)


class _FormAsker:
    """Sends a form and waits."""

    def __init__(self, ctx: ServerRequestContext[Any, Any], presentation: Presentation, progress: Progress) -> None:
        self._ctx = ctx
        self._presentation = presentation
        self._progress = progress

    async def confirm(self, question: Question) -> Confirmation:
        """Ask, report progress meanwhile, and read the answer; without one in time it is unanswered."""
        confirmation = Confirmation.UNANSWERED
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._report)
            with anyio.move_on_after(ASK_SECONDS):
                confirmation = await self._ask(question)
            tasks.cancel_scope.cancel()
        return confirmation

    async def _ask(self, question: Question) -> Confirmation:
        try:
            answer = await self._ctx.session.elicit_form(
                self._presentation.question(question),
                _form(self._presentation, question),
                related_request_id=self._ctx.request_id,
            )
        except (MCPError, ValidationError):
            # The client could not ask, or what it sent is no answer.
            return Confirmation.UNANSWERED
        return _confirmation(answer)

    async def _report(self) -> None:
        started = anyio.current_time()
        while True:
            waited = anyio.current_time() - started
            await self._progress(waited, ASK_SECONDS, self._presentation.waiting("answer"))
            await anyio.sleep(TICK_SECONDS)


class _RepeatedCallAsker:
    """Returns the question, and reads the answer from the repeated call."""

    def __init__(self, params: types.CallToolRequestParams, presentation: Presentation) -> None:
        self._params = params
        self._presentation = presentation

    async def confirm(self, question: Question) -> Confirmation:
        """Read what this call brings back for exactly this question.

        Raises:
            AnswerNeeded: it is not the repetition of a call that was asked this question.
        """
        # The state is sealed to tool and arguments; the digest binds it to the question: a yes to "above the
        # threshold" is none to a duplicate that appeared meanwhile.
        if self._params.request_state == _digest(question):
            return _confirmation((self._params.input_responses or {}).get(BOX))
        request = types.ElicitRequest(
            params=types.ElicitRequestFormParams(
                message=self._presentation.question(question), requested_schema=_form(self._presentation, question)
            )
        )
        raise AnswerNeeded(types.InputRequiredResult(input_requests={BOX: request}, request_state=_digest(question)))


def _form(presentation: Presentation, question: Question) -> dict[str, Any]:
    box = {"type": "boolean", "title": presentation.tick_box(question), "default": False}
    return {"type": "object", "properties": {BOX: box}, "required": [BOX]}


def _confirmation(answer: object) -> Confirmation:
    if not isinstance(answer, types.ElicitResult):
        return Confirmation.UNANSWERED
    if answer.action == "accept" and answer.content is not None:
        return Confirmation.YES if answer.content.get(BOX) is True else Confirmation.DECLINED
    # Clients without a person send `cancel` by themselves, so it is no refusal.
    return Confirmation.DECLINED if answer.action == "decline" else Confirmation.UNANSWERED


def _digest(question: Question) -> str:
    fields = {**asdict(question), "kinds": sorted(question.kinds)}
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
