"""MCP over stdin and stdout: one redacted line a message, both eras, and a clean end on EOF and signals.

The SDK's own transport is not used: it redacts nothing, reads lines of any length, answers no line that it cannot take,
and its reading thread keeps the process alive after a signal.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import anyio
import mcp_types as types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.lowlevel import Server
from mcp.shared.message import SessionMessage

from blikk_mcp.logs import log_event
from blikk_mcp.transports.front_door import Handover
from blikk_mcp.transports.messages import Refused, read_message
from blikk_mcp.transports.wire import Line, Wire
from blikk_payments.system.loop_signals import signals_received
from blikk_payments.system.signals import EXIT_CODES

MAX_ANSWERS_WAITING = 64
"""Answers made and not taken over by the wire; beyond that nothing more is read from the client."""

LAST_ANSWERS_SECONDS = 0.5
"""How long after EOF what was asked before may still be answered: `printf … | blikk-mcp`."""

EXIT_SECONDS = 1.0

Item = SessionMessage | Exception
Received = MemoryObjectReceiveStream[Item]
Sender = MemoryObjectSendStream[SessionMessage]

logger = logging.getLogger(__name__)


async def serve_stdio(server: Server[Any], redact: Callable[[str], str], wire: Wire, handover: Handover) -> int:
    """Serve from where the front door left off; the exit code is 0 after EOF, 128 + n after signal n."""
    code = 0
    to_server, received = anyio.create_memory_object_stream[Item](0)
    outgoing, to_write = anyio.create_memory_object_stream[SessionMessage](0)
    reader = _Reader(_Changes(wire), wire, to_server, outgoing.clone(), handover)

    async def stop_on_signal() -> None:
        nonlocal code
        with signals_received() as next_signal:
            code = EXIT_CODES[await next_signal()]
            exit_soon(code)
            tasks.cancel_scope.cancel()

    async def serve() -> None:
        await _serve_after_probes(server, received, outgoing)
        exit_soon(0)

    async def write() -> None:
        await _write(reader, wire, to_write, redact)
        # All is served and written, or nobody reads us any more: either way this is the end.
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop_on_signal)
        tasks.start_soon(reader.run)
        tasks.start_soon(reader.stop_after_eof)
        tasks.start_soon(serve)
        tasks.start_soon(write)
    return code


def exit_soon(code: int) -> None:
    """End the process even if something does not let go: the promise is two seconds."""
    timer = threading.Timer(EXIT_SECONDS, os._exit, (code,))
    timer.daemon = True
    timer.start()


class _Changes:
    """What the wire's threads report, for tasks of the event loop to wait on."""

    def __init__(self, wire: Wire) -> None:
        loop, self._changed = asyncio.get_running_loop(), asyncio.Event()

        def report() -> None:
            with suppress(RuntimeError):  # the loop has ended before stdin did
                loop.call_soon_threadsafe(self._changed.set)

        wire.on_change = report

    async def wait_until(self, is_so: Callable[[], bool]) -> None:
        """Return when this is so; it is looked at again whenever the wire reports something."""
        while not is_so():
            self._changed.clear()
            if not is_so():
                await self._changed.wait()


class _Reader:
    """Takes lines from the wire as fast as the client reads the answers, and answers what is no message."""

    def __init__(
        self,
        changes: _Changes,
        wire: Wire,
        to_server: MemoryObjectSendStream[Item],
        outgoing: Sender,
        handover: Handover,
    ) -> None:
        self.changes = changes
        self._wire = wire
        self._to_server = to_server
        self._outgoing = outgoing
        self._unanswered: set[types.RequestId] = set()
        self._scope = anyio.CancelScope()
        self._handover = handover
        self._replaying: anyio.Event | None = None

    def is_for_the_client(self, message: types.JSONRPCMessage) -> bool:
        """Take note of what goes out; the answer to what the door has answered already goes nowhere."""
        if isinstance(message, types.JSONRPCResponse | types.JSONRPCError) and message.id is not None:
            self._unanswered.discard(message.id)
            if self._replaying is not None:
                self._replaying.set()
        return self._replaying is None

    async def run(self) -> None:
        """Read until EOF, or until there is nobody to hand a message to."""
        async with self._to_server, self._outgoing:
            with suppress(anyio.BrokenResourceError), self._scope:
                await self._replay()
                if self._handover.line is not None:
                    await self._deliver(self._handover.line)
                while not self._wire.is_over:
                    await self.changes.wait_until(self._can_go_on)
                    if self._wire.has_line:
                        await self._deliver(self._wire.take())
                await self.changes.wait_until(lambda: not self._unanswered)

    async def stop_after_eof(self) -> None:
        """Bound what is left to do when the client has hung up: the end of the input cancels what is under way."""
        await self.changes.wait_until(lambda: self._wire.has_ended)
        self._scope.deadline = anyio.current_time() + LAST_ANSWERS_SECONDS

    def _can_go_on(self) -> bool:
        if not self._wire.has_line:
            return self._wire.is_over
        return self._wire.has_room and self._outgoing.statistics().tasks_waiting_send < MAX_ANSWERS_WAITING

    async def _replay(self) -> None:
        """Bring the server to where the client is. Each answer is waited for, so that no other can be taken for it."""
        for line in self._handover.replayed:
            self._replaying = anyio.Event()
            await self._deliver(line)
            if self._unanswered:
                await self._replaying.wait()
        self._replaying = None

    async def _deliver(self, line: Line) -> None:
        message = read_message(line)
        if not isinstance(message, Refused):
            if isinstance(message.message, types.JSONRPCRequest):
                self._unanswered.add(message.message.id)
            await self._to_server.send(message)
            return
        log_event(logger, logging.WARNING, "line_refused", reason=message.reason)
        if message.answer is not None:
            await self._outgoing.send(message.answer)


async def _serve_after_probes(server: Server[Any], received: Received, outgoing: Sender) -> None:
    """Answer leading `server/discover` probes on throw-away connections, and let the next request choose the era.

    Some clients probe and then fall back to `initialize` on the same stream; the SDK lets the probe choose the modern
    era and refuses that.
    """
    to_era, of_era = anyio.create_memory_object_stream[Item](0)

    async def relay() -> None:
        leading = True
        async with to_era:
            async for item in received:
                request = item.message if isinstance(item, SessionMessage) else None
                if isinstance(request, types.JSONRPCRequest):
                    if leading and request.method == "server/discover":
                        await outgoing.send(await answer_alone(server, item))
                        continue
                    leading = False
                await to_era.send(item)

    async with outgoing, received, anyio.create_task_group() as tasks:
        tasks.start_soon(relay)
        await server.run(of_era, outgoing.clone(), server.create_initialization_options())
        tasks.cancel_scope.cancel()


async def answer_alone(server: Server[Any], request: Item) -> SessionMessage:
    """The server's answer to a request on a connection of its own, on which nothing else was said."""
    ask, asked = anyio.create_memory_object_stream[Item](1)
    answer, answered = anyio.create_memory_object_stream[SessionMessage](1)
    reply: SessionMessage | None = None
    async with anyio.create_task_group() as tasks, ask, answered:
        tasks.start_soon(server.run, asked, answer, server.create_initialization_options())
        await ask.send(request)
        reply = await answered.receive()
        tasks.cancel_scope.cancel()
    assert reply is not None
    return reply


async def _write(
    reader: _Reader, wire: Wire, to_write: MemoryObjectReceiveStream[SessionMessage], redact: Callable[[str], str]
) -> None:
    changes = reader.changes
    async with to_write:
        async for message in to_write:
            if not reader.is_for_the_client(message.message):
                continue
            wire.send(line_of(message, redact))
            await changes.wait_until(lambda: wire.has_room or wire.is_broken)
            if wire.is_broken:
                return
    await changes.wait_until(lambda: wire.is_sent or wire.is_broken)


def line_of(message: SessionMessage, redact: Callable[[str], str]) -> bytes:
    """A message as it goes out."""
    return redact(message.message.model_dump_json(by_alias=True, exclude_unset=True)).encode() + b"\n"
