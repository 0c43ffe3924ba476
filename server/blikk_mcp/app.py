"""The composition root: from settings to an MCP server.

Until a client asks for tools there is only what `initialize` needs: the rules, the ledger and the tools' models are
loaded by the first request that wants them, and clients that start a server in every window often send none.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
import mcp_types as types
from mcp.server.context import HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared import _otel  # pyright: ignore[reportPrivateUsage]
from opentelemetry.trace import NoOpTracer

from blikk_mcp import __version__
from blikk_mcp.card import EXTENSION as CARDS
from blikk_mcp.desk.state_boundary import LazyStateBoundary, read_answers
from blikk_mcp.desk.task_requests import EXTENSION as TASKS
from blikk_mcp.desk.task_requests import TaskParams, check_takes_tasks
from blikk_mcp.redaction.redactor import Redactor
from blikk_mcp.settings.settings import Settings
from blikk_tools.about import SERVER_INSTRUCTIONS

if TYPE_CHECKING:
    from blikk_mcp.desk.desk import Desk
    from blikk_mcp.settings.values import SettingsError

Context = ServerRequestContext[Any, Any]


class App:
    """The server's handlers, and the desk behind them, opened by the first request that needs it."""

    def __init__(self, settings: Settings | SettingsError, redactor: Redactor, tasks: anyio.abc.TaskGroup) -> None:
        self._settings = settings
        self._redactor = redactor
        self._tasks = tasks
        self._opening = anyio.Lock()
        self._closing = anyio.Event()
        self._desk: Desk | None = None

    def server(self) -> Server[Any]:
        """The low-level server: exact schemas and our own strict validation; nothing is coerced or dropped on the way."""
        server: Server[Any] = Server(
            "blikk-mcp",
            version=__version__,
            title="Blikk payments",
            instructions=SERVER_INSTRUCTIONS,
            on_list_tools=self._list_tools,
            on_list_resources=self._list_resources,
            on_list_resource_templates=self._list_resource_templates,
            on_read_resource=self._read_resource,
        )
        server.extensions[CARDS] = {}
        # Only the modern era tells of extensions, and only there is this one used.
        server.extensions[TASKS] = {}
        # Not `on_call_tool`, whose type knows nothing of tasks.
        server.add_request_handler("tools/call", types.CallToolRequestParams, self._call_tool)
        server.add_request_handler("tasks/get", TaskParams, self._get_task)
        server.add_request_handler("tasks/cancel", TaskParams, self._cancel_task)
        server.add_request_handler("tasks/update", TaskParams, self._update_task)
        # Replaces the SDK's own middleware, which makes spans.
        server.middleware[:] = [LazyStateBoundary(), read_answers]
        _disable_sdk_tracing()
        return server

    async def _at_desk(self) -> Desk:
        async with self._opening:
            desk = self._desk or await self._tasks.start(self._keep_desk)
            self._desk = desk
            return desk

    async def _keep_desk(self, *, task_status: anyio.abc.TaskStatus[Desk]) -> None:
        """Open the desk, and close it at the end: both in this one task, which is no caller's."""
        from blikk_mcp.desk.desk import Desk
        from blikk_mcp.desk.tasks import Tasks

        if not isinstance(self._settings, Settings):
            task_status.started(Desk(self._settings, None, self._redactor, Tasks(self._tasks)))
            return
        from blikk_mcp.payments import running_service

        async with running_service(self._settings, self._redactor) as service, anyio.create_task_group() as watching:
            task_status.started(Desk(self._settings, service, self._redactor, Tasks(watching, service.now)))
            await self._closing.wait()
            watching.cancel_scope.cancel()

    def close(self) -> None:
        """Let the desk go, after its requests under way."""
        self._closing.set()

    async def _list_tools(self, ctx: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return (await self._at_desk()).listed

    async def _call_tool(self, ctx: Context, params: types.CallToolRequestParams) -> HandlerResult:
        return await (await self._at_desk()).call(ctx, params)

    async def _get_task(self, ctx: Context, params: TaskParams) -> HandlerResult:
        check_takes_tasks(ctx)
        return (await self._at_desk()).tasks.get(params.task_id)

    async def _cancel_task(self, ctx: Context, params: TaskParams) -> HandlerResult:
        check_takes_tasks(ctx)
        (await self._at_desk()).tasks.cancel(params.task_id)
        return {}

    async def _update_task(self, ctx: Context, params: TaskParams) -> HandlerResult:
        # A task never asks for input, and answers to what was not asked are to be ignored.
        check_takes_tasks(ctx)
        (await self._at_desk()).tasks.get(params.task_id)
        return {}

    async def _list_resources(
        self, ctx: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        from blikk_mcp.card.page import list_resources

        return await list_resources(ctx, params)

    async def _list_resource_templates(
        self, ctx: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        # Clients ask where there are resources, and take an error for a broken server.
        return types.ListResourceTemplatesResult(resource_templates=[])

    async def _read_resource(self, ctx: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        from blikk_mcp.card.page import read_resource

        return await read_resource(ctx, params)


def _disable_sdk_tracing() -> None:
    """Keep the SDK from tracing where somebody has switched tracing on.

    Its spans hold what callers call tools, what clients answer and whole exceptions, and go out past every redaction.
    """
    _otel._tracer = NoOpTracer()  # pyright: ignore[reportPrivateUsage] - there is no public switch


@asynccontextmanager
async def running_app(settings: Settings | SettingsError, redactor: Redactor) -> AsyncGenerator[Server[Any]]:
    """A server ready to be run on a transport; what it opened on the way is closed at the end."""
    async with anyio.create_task_group() as tasks:
        app = App(settings, redactor, tasks)
        try:
            yield app.server()
        finally:
            app.close()
