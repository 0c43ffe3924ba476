"""Waits that go on after their call: `await_payment` as a task.

The call returns at once with a handle. The client asks for the task now and then, which costs Blikk nothing: the wait
behind it shares the payment's one poller with all others, and keeps its pace. Tasks live in this process and as long
as it does; what is lost with them is a wait and never a payment, which stands in the ledger.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

import anyio
import anyio.abc
import mcp_types as types
from mcp.shared.exceptions import MCPError

from blikk_mcp.logs import log_event
from blikk_payments.channel.wire import NEEDS_PERSON, Status
from blikk_payments.models import Payment
from blikk_payments.schedule import PollSchedule
from blikk_tools.await_payment import WATCH_SECONDS
from blikk_tools.instructions import Presentation
from blikk_tools.tool import Reply

HANDLE_BYTES: Final = 24
"""Nobody guesses as many, and whoever comes by a handle can do nothing with it outside this process's own connection."""

MAX_TASKS: Final = 500
"""Beyond that a call waits as it does for clients without tasks."""

HEAD_START_SECONDS: Final = 1.0
"""How long a call may take to find out that there is nothing to wait for: such an answer needs no task."""

KEPT_SECONDS: Final = 600.0
"""How long a result is there to be fetched, also one that came at the last moment."""

TTL_SECONDS: Final = WATCH_SECONDS + KEPT_SECONDS

MAX_ASK_AGAIN_SECONDS: Final = 5.0
"""A task is asked for at the pace of its payment's poller, but not more slowly than this: it costs Blikk nothing."""

NO_SUCH_TASK: Final = (
    "Task not found: it never was, its time is over, or the server was restarted. "
    "The payment is not touched by that: call await_payment again with its payment_id."
)

logger = logging.getLogger(__name__)

Wait = Callable[[Callable[[Payment], None]], Awaitable[Reply]]


class TaskStarted(Exception):
    """The wait goes on without its call, whose answer is the task."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__("the wait goes on as a task")
        self.answer = answer


@dataclass(slots=True)
class Task:
    """One wait. `status` is the protocol's word; `payment_status` is Blikk's.

    `ends` and `changed` (since when the payment stands as it does) are seconds of the loop's clock, which on most
    machines stands still while they sleep: who approves meanwhile is heard of afterwards.

    `answer_of` makes the answer of a reply, from the moment on that the wait has left its call.
    """

    task_id: str
    presentation: Presentation
    created_at: datetime
    updated_at: datetime
    ends: float
    changed: float
    status: Literal["working", "completed", "cancelled"] = "working"
    payment_status: Status | None = None
    reply: Reply | None = None
    answer: types.CallToolResult | None = None
    answer_of: Callable[[Reply], types.CallToolResult] | None = None
    begun: anyio.Event = field(default_factory=anyio.Event)
    """Set with the first reading, or with the end if that comes first."""
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    def wire(self, result_type: Literal["task", "complete"], ask_again_seconds: float) -> dict[str, Any]:
        """The task as the protocol has it: as a call's answer (`task`), or as the answer to a question about it."""
        wire: dict[str, Any] = {
            "resultType": result_type,
            "taskId": self.task_id,
            "status": self.status,
            "createdAt": _utc(self.created_at),
            "lastUpdatedAt": _utc(self.updated_at),
            "ttlMs": round(TTL_SECONDS * 1000),
            "pollIntervalMs": round(ask_again_seconds * 1000),
        }
        if self.answer is not None:
            wire["result"] = self.answer.model_dump(by_alias=True, mode="json", exclude_none=True)
        else:
            what = "person" if self.payment_status in NEEDS_PERSON else "bank"
            wire["statusMessage"] = self.presentation.waiting("nothing" if self.status == "cancelled" else what)
        return wire


class Tasks:
    """The tasks of this process. `watching`: where their waits run; it has to end before the service does."""

    def __init__(self, watching: anyio.abc.TaskGroup, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._watching = watching
        self._now = now
        self._schedule = PollSchedule()
        self._tasks: dict[str, Task] = {}

    def get(self, task_id: str) -> dict[str, Any]:
        """How the task stands, with its result if there is one.

        Raises:
            MCPError: there is no such task, or not any more.
        """
        task = self._found(task_id)
        return task.wire("complete", self._pace(task))

    def cancel(self, task_id: str) -> None:
        """Stop waiting. The payment is not cancelled by that; a task that has ended stays as it is.

        Raises:
            MCPError: there is no such task, or not any more.
        """
        task = self._found(task_id)
        if task.status == "working":
            log_event(logger, logging.INFO, "task_cancelled")
            task.status, task.updated_at = "cancelled", self._now()
            task.scope.cancel()

    async def start(
        self,
        wait: Wait,
        presentation: Presentation,
        failed: Callable[[Exception], Reply],
        answer_of: Callable[[Reply], types.CallToolResult],
    ) -> Reply | None:
        """The reply if it comes in a moment; None if there is no room for one more task.

        `failed` makes a reply of an error, `answer_of` the answer of a reply that comes later.

        Raises:
            TaskStarted: it is waited for by now.
        """
        self._forget()
        if len(self._tasks) >= MAX_TASKS:
            return None
        now, begun = self._now(), anyio.current_time()
        task = Task(secrets.token_urlsafe(HANDLE_BYTES), presentation, now, now, begun + TTL_SECONDS, begun)
        self._tasks[task.task_id] = task
        self._watching.start_soon(self._watch, task, wait, failed)
        try:
            with anyio.move_on_after(HEAD_START_SECONDS):
                await task.begun.wait()
            if task.reply is None:
                task.answer_of = answer_of
        finally:
            if task.answer_of is None:
                # The call has its result, or was cancelled: nobody knows of a task.
                del self._tasks[task.task_id]
                task.scope.cancel()
        if task.reply is not None:
            return task.reply
        raise TaskStarted(task.wire("task", self._pace(task)))

    async def _watch(self, task: Task, wait: Wait, failed: Callable[[Exception], Reply]) -> None:
        def seen(payment: Payment) -> None:
            if payment.status != task.payment_status:
                task.payment_status, task.changed, task.updated_at = payment.status, anyio.current_time(), self._now()
            task.begun.set()

        with task.scope:
            try:
                task.reply = await wait(seen)
            except Exception as error:  # noqa: BLE001 - a task ends with a result, as a call does
                task.reply = failed(error)
            if task.answer_of is not None:
                task.answer = task.answer_of(task.reply)
                task.status, task.updated_at = "completed", self._now()
            task.begun.set()

    def _found(self, task_id: str) -> Task:
        self._forget()
        task = self._tasks.get(task_id)
        if task is None:
            raise MCPError(code=types.INVALID_PARAMS, message=NO_SUCH_TASK)
        return task

    def _forget(self) -> None:
        """Let go of those whose time is over; their waits are over since long."""
        now = anyio.current_time()
        for task in [task for task in self._tasks.values() if task.ends <= now]:
            task.scope.cancel()
            del self._tasks[task.task_id]

    def _pace(self, task: Task) -> float:
        """After how many seconds there may be something new to ask for."""
        pace = self._schedule.delay(task.payment_status, anyio.current_time() - task.changed, 0.5)
        return min(pace, MAX_ASK_AGAIN_SECONDS)


@dataclass(frozen=True, slots=True)
class TaskWait:
    """The way from one call to a task: what `await_payment` knows as its background."""

    tasks: Tasks
    presentation: Presentation
    failed: Callable[[Exception], Reply]
    answer_of: Callable[[Reply], types.CallToolResult]

    async def run(self, wait: Wait) -> Reply | None:
        """See `blikk_tools.tool.Background`; it raises `TaskStarted`."""
        return await self.tasks.start(wait, self.presentation, self.failed, self.answer_of)


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
