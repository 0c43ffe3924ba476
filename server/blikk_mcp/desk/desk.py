"""Run each call of a tool: give it what it works with, answer in structure and in text, and log one line."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import anyio
import mcp_types as types
from mcp.server.context import HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError

from blikk_mcp.card import hints, page
from blikk_mcp.desk.asking import AnswerNeeded, asker_for
from blikk_mcp.desk.opening import opener_for
from blikk_mcp.desk.task_requests import takes_tasks
from blikk_mcp.desk.tasks import Tasks, TaskStarted, TaskWait
from blikk_mcp.logs import log_event
from blikk_mcp.payments import presentation_of
from blikk_mcp.redaction.redactor import Redactor
from blikk_mcp.settings.settings import Settings
from blikk_mcp.settings.values import SettingsError
from blikk_payments.channel.text import clean_text
from blikk_payments.errors import ErrorCode, PaymentsError
from blikk_payments.service import PaymentService
from blikk_tools.arguments import NO_SUBJECT, InvalidArguments, Subject, checked
from blikk_tools.catalog import catalog
from blikk_tools.instructions import Presentation
from blikk_tools.link_history import LinkHistory
from blikk_tools.listing import PaymentList
from blikk_tools.refusal import of_error
from blikk_tools.result import Result
from blikk_tools.tool import Call, Reply, Tool, WaitLimits

MAX_CALLS_AT_ONCE = 1_200
"""Calls under way in one process; a thousand payments can be waited for at once, and a flood costs some 20 MB."""

IDS_OF_BLIKK = frozenset({"payment_id", "confirmed_duplicate_of"})

logger = logging.getLogger(__name__)

Context = ServerRequestContext[Any, Any]


class NotConfigured(PaymentsError):
    """The settings cannot be used; every call says which."""

    code = ErrorCode.NOT_CONFIGURED


class Desk:
    """Where calls are taken. With unusable settings it lists its tools all the same, and every call says what to correct."""

    def __init__(
        self, settings: Settings | SettingsError, service: PaymentService | None, redactor: Redactor, tasks: Tasks
    ) -> None:
        self._settings = settings
        self.tasks = tasks
        self._service = service
        self._redactor = redactor
        self._under_way = 0
        # With wrong settings, too: what is listed is what the front door says, which does not read the others.
        self._tools = catalog(read_only=settings.read_only)
        if isinstance(settings, Settings):
            self._presentation = presentation_of(settings)
            self._waits = WaitLimits(settings.wait_seconds, settings.max_wait_seconds)
        else:
            self._presentation = Presentation(environment=settings.environment)
            self._waits = WaitLimits()
        self._links = LinkHistory()
        self.listed = types.ListToolsResult(
            tools=[_listed(tool, always_load=settings.always_load) for tool in self._tools.values()]
        )

    async def call(self, ctx: Context, params: types.CallToolRequestParams) -> HandlerResult:
        """One call of a tool, from its arguments to its result, and its log line.

        Raises:
            MCPError: there is no such tool, or there are too many calls under way.
        """
        tool = self._tools.get(params.name)
        if tool is None:
            # The name is the caller's text and is not repeated.
            raise MCPError(code=types.INVALID_PARAMS, message="Unknown tool")
        if self._under_way >= MAX_CALLS_AT_ONCE:
            raise MCPError(code=types.INTERNAL_ERROR, message="Too many calls at once: wait for some to end")
        self._under_way += 1
        try:
            return await self._call(tool, ctx, params)
        finally:
            self._under_way -= 1

    async def _call(self, tool: Tool[Any], ctx: Context, params: types.CallToolRequestParams) -> HandlerResult:
        started = time.monotonic()
        subject = NO_SUBJECT
        try:
            call = self._prepare(ctx, params)
            self._reject_key_in_arguments(params.arguments)
            arguments = checked(tool.arguments, params.arguments)
            subject = arguments.subject()
            if takes_tasks(ctx):
                call = replace(call, background=self._background(tool, started, ctx, subject))
            reply = await tool.run(call, arguments)
        except AnswerNeeded as needed:
            self._log(tool, started, outcome="asked")
            return needed.result
        except TaskStarted as begun:
            self._log(tool, started, outcome="task", payment_id=_without_personal_data(subject.payment_id))
            return begun.answer
        except anyio.get_cancelled_exc_class():
            self._log(tool, started, outcome="cancelled")
            raise
        except Exception as error:  # noqa: BLE001 - every error becomes a result
            reply = self._failed(tool, error, subject)
        if isinstance(reply, PaymentList):
            self._log(tool, started, outcome="listed")
            return _answer(reply, None)
        return self._answered(tool, started, ctx, reply)

    def _failed(self, tool: Tool[Any], error: Exception, subject: Subject) -> Reply:
        if not isinstance(error, PaymentsError):
            logger.error("a tool failed unexpectedly", exc_info=error)
            error = PaymentsError("an unexpected error; the server's log has more")
        return Reply(of_error(error, tool.name, self._presentation, subject))

    def _answered(self, tool: Tool[Any], started: float, ctx: Context, reply: Reply) -> types.CallToolResult:
        """The answer to a call, and its log line."""
        result = reply.result
        self._log(
            tool,
            started,
            outcome=result.outcome,
            error_code=result.error_code,
            payment_id=_without_personal_data(result.payment_id),
            replayed=result.replayed,
        )
        return _answer(result, hints.result_meta(ctx, reply, self._presentation))

    def _background(self, tool: Tool[Any], started: float, ctx: Context, subject: Subject) -> TaskWait:
        return TaskWait(
            self.tasks,
            self._presentation,
            failed=lambda error: self._failed(tool, error, subject),
            answer_of=lambda reply: self._answered(tool, started, ctx, reply),
        )

    def _reject_key_in_arguments(self, arguments: Mapping[str, Any] | None) -> None:
        """An agent that has come by the key must not get it into the ledger, or to Blikk as somebody's name."""
        for name, value in (arguments or {}).items():
            # An id of Blikk's may share some characters with the key by chance.
            holds = self._redactor.holds_secret if name in IDS_OF_BLIKK else self._redactor.leaks
            if isinstance(value, str) and holds(value):
                raise InvalidArguments("an argument holds this server's own API key; leave it out")

    def _prepare(self, ctx: Context, params: types.CallToolRequestParams) -> Call:
        if self._service is None:
            raise NotConfigured(str(self._settings))
        progress = RisingProgress(ctx.session.report_progress)
        return Call(
            service=self._service,
            presentation=self._presentation,
            progress=progress,
            waits=self._waits,
            asker=asker_for(ctx, params, self._presentation, progress),
            opener=opener_for(ctx, params),
            links=self._links,
        )

    def _log(self, tool: Tool[Any], started: float, **fields: object) -> None:
        milliseconds = round((time.monotonic() - started) * 1000, 1)
        given = {name: value for name, value in fields.items() if value not in ("", False)}
        log_event(
            logger,
            logging.INFO,
            "tool_call",
            tool=tool.name,
            **given,
            duration_ms=milliseconds,
            call=uuid.uuid4().hex[:12],
        )


def _without_personal_data(payment_id: str) -> str:
    """The id for the log; an agent can take a kennitala for one."""
    return payment_id if clean_text(payment_id) == payment_id else ""


class RisingProgress:
    """Progress reports with strictly rising values, whatever the clock does."""

    def __init__(self, report: Callable[[float, float, str], Awaitable[None]]) -> None:
        self._report = report
        self._last = -1.0

    async def __call__(self, done_seconds: float, of_seconds: float, message: str) -> None:
        done_seconds = round(done_seconds, 3)
        if done_seconds <= self._last:
            return
        self._last = done_seconds
        await self._report(done_seconds, max(of_seconds, done_seconds), message)


def _listed(tool: Tool[Any], *, always_load: bool) -> types.Tool:
    # Claude Code defers tools behind a search: the one puts them into a model's first turn, the other lets them be found.
    found = {**({"anthropic/alwaysLoad": True} if always_load else {}), "anthropic/searchHint": tool.search_hint}
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=dict(tool.input_schema),
        output_schema=dict(tool.output_schema),
        annotations=types.ToolAnnotations(
            read_only_hint=tool.annotations.read_only,
            destructive_hint=tool.annotations.destructive,
            idempotent_hint=tool.annotations.idempotent,
            open_world_hint=tool.annotations.open_world,
        ),
        _meta={**page.tool_meta(tool), **found},
    )


def _answer(result: Result | PaymentList, meta: Any) -> types.CallToolResult:
    """Both halves carry everything: some clients show the model only the one, some only the other."""
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=result.model_dump_json())],
        structured_content=result.model_dump(mode="json"),
        is_error=bool(result.error_code),
        _meta=meta,
    )
