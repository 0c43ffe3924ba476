"""MCP over stdin and stdout: one redacted line a message, both eras, and a clean end on EOF and signals.

The SDK's own transport is not used: it redacts nothing, reads lines of any length, and its reading thread keeps the
process alive after a signal.
"""

from __future__ import annotations

import asyncio
import math
import os
import queue
import select
import signal
import stat
import sys
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import mcp_types as types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.lowlevel import Server
from mcp.shared.message import SessionMessage

MAX_LINE_BYTES = 4 * 1024 * 1024
"""A longer line is dropped: no message of ours or a client's comes near it."""

LINES_AHEAD = 64
"""Lines read but not yet taken by the server; beyond that the client's pipe fills up."""

FRAMES_BEFORE_THE_FIRST_REQUEST = 8
EXIT_SECONDS = 1.5
READ_BYTES = 64 * 1024

EXIT_CODES = {signal.SIGTERM: 143, signal.SIGINT: 130}

Item = SessionMessage | Exception
Incoming = MemoryObjectReceiveStream[Item]
Outgoing = MemoryObjectSendStream[SessionMessage]


async def serve_stdio(server: Server[Any], redact: Callable[[str], str]) -> int:
    """Serve until EOF or a signal, and return the exit code: 0 after EOF, 128 + n after signal n."""
    wire_in, wire_out = _claim_standard_streams()
    code = 0
    read, received = anyio.create_memory_object_stream[Item](0)
    outgoing, to_write = anyio.create_memory_object_stream[SessionMessage](0)

    async def stop_on_signal() -> None:
        nonlocal code
        with anyio.open_signal_receiver(*EXIT_CODES) as signals:
            async for number in signals:
                code = EXIT_CODES[number]
                exit_soon(code)
                tasks.cancel_scope.cancel()
                return

    async def serve() -> None:
        await _serve_after_probes(server, received, outgoing)
        exit_soon(0)

    async def write() -> None:
        await _write(wire_out, to_write, redact)
        # All is served and written, or nobody reads us any more: either way this is the end.
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop_on_signal)
        tasks.start_soon(_read, wire_in, read)
        tasks.start_soon(serve)
        tasks.start_soon(write)
    return code


def exit_soon(code: int) -> None:
    """End the process even if something does not let go: the promise is two seconds."""
    timer = threading.Timer(EXIT_SECONDS, os._exit, (code,))
    timer.daemon = True
    timer.start()


async def _serve_after_probes(server: Server[Any], received: Incoming, outgoing: Outgoing) -> None:
    """Answer leading `server/discover` probes on throw-away connections, and let the next request choose the era.

    Some clients probe and then fall back to `initialize` on the same stream; the SDK lets the probe choose the modern
    era and refuses that.
    """
    lead: list[Item] = []
    async with outgoing, received:
        async for item in received:
            if not isinstance(item, SessionMessage) or not isinstance(item.message, types.JSONRPCRequest):
                lead = [*lead, item][-FRAMES_BEFORE_THE_FIRST_REQUEST:]
            elif item.message.method == "server/discover":
                await outgoing.send(await _answer_probe(server, item))
            else:
                await _serve_era(server, [*lead, item], received, outgoing)
                return


async def _answer_probe(server: Server[Any], probe: SessionMessage) -> SessionMessage:
    ask, asked = anyio.create_memory_object_stream[Item](1)
    answer, answered = anyio.create_memory_object_stream[SessionMessage](1)
    reply: SessionMessage | None = None
    async with anyio.create_task_group() as tasks, ask, answered:
        tasks.start_soon(server.run, asked, answer, server.create_initialization_options())
        await ask.send(probe)
        reply = await answered.receive()
        tasks.cancel_scope.cancel()
    assert reply is not None
    return reply


async def _serve_era(server: Server[Any], lead: list[Item], received: Incoming, outgoing: Outgoing) -> None:
    replay, replayed = anyio.create_memory_object_stream[Item](0)

    async def relay() -> None:
        async with replay:
            for item in lead:
                await replay.send(item)
            async for item in received:
                await replay.send(item)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(relay)
        await server.run(replayed, outgoing, server.create_initialization_options())
        tasks.cancel_scope.cancel()


async def _read(fd: int, read: MemoryObjectSendStream[Item]) -> None:
    async with read:
        async for line in _lines(fd):
            try:
                item: Item = SessionMessage(types.jsonrpc_message_adapter.validate_json(line, by_name=False))
            except ValueError:
                # The line itself is left out: whatever it is, it is not ours to repeat.
                item = ValueError("a line on stdin is no JSON-RPC message")
            try:
                await read.send(item)
            except anyio.BrokenResourceError:
                return


async def _lines(fd: int) -> AsyncIterator[bytes]:
    """The lines of a file descriptor, read in a thread that never keeps the process alive."""
    loop = asyncio.get_running_loop()
    send, receive = anyio.create_memory_object_stream[bytes](math.inf)
    ahead = threading.BoundedSemaphore(LINES_AHEAD)

    def pump() -> None:
        try:
            for line in _split(fd):
                ahead.acquire()
                loop.call_soon_threadsafe(send.send_nowait, line)
            loop.call_soon_threadsafe(send.close)
        except RuntimeError:
            pass  # the loop has ended before stdin did

    threading.Thread(target=pump, name="stdin", daemon=True).start()
    async with receive:
        async for line in receive:
            ahead.release()
            yield line


def _split(fd: int) -> Any:
    """Complete lines of bounded length; what is longer is skipped to its end."""
    held, skipping = bytearray(), False
    while chunk := _read_some(fd):
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            line = bytes(held) + part
            held.clear()
            if not skipping and line.strip() and len(line) <= MAX_LINE_BYTES:
                yield line
            skipping = False
        held += rest
        if len(held) > MAX_LINE_BYTES:
            held.clear()
            skipping = True
    if held.strip() and not skipping:
        yield bytes(held)


def _read_some(fd: int) -> bytes:
    try:
        return os.read(fd, READ_BYTES)
    except OSError:
        return b""


async def _write(fd: int, to_write: MemoryObjectReceiveStream[SessionMessage], redact: Callable[[str], str]) -> None:
    loop = asyncio.get_running_loop()
    lines: queue.SimpleQueue[tuple[bytes, asyncio.Future[bool]]] = queue.SimpleQueue()

    def pump() -> None:
        while True:
            line, done = lines.get()
            written = _write_all(fd, line)
            try:
                loop.call_soon_threadsafe(_settle, done, written)
            except RuntimeError:
                return

    threading.Thread(target=pump, name="stdout", daemon=True).start()
    is_pipe = stat.S_ISFIFO(os.fstat(fd).st_mode)
    async with to_write:
        async for message in to_write:
            line = redact(message.message.model_dump_json(by_alias=True, exclude_unset=True)).encode() + b"\n"
            if is_pipe and _takes_at_once(fd, line):
                written = _write_all(fd, line)
            else:
                done: asyncio.Future[bool] = loop.create_future()
                lines.put((line, done))
                written = await done
            if not written:
                return


def _takes_at_once(fd: int, line: bytes) -> bool:
    """Whether a pipe has room for the whole line now, so that no thread is needed to wait for it (POSIX: PIPE_BUF)."""
    if len(line) > select.PIPE_BUF:
        return False
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return poll.poll(0) == [(fd, select.POLLOUT)]


def _settle(done: asyncio.Future[bool], written: bool) -> None:
    if not done.done():
        done.set_result(written)


def _write_all(fd: int, line: bytes) -> bool:
    view = memoryview(line)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except OSError:
        return False
    return True


def _claim_standard_streams() -> tuple[int, int]:
    """Take stdin and stdout for the protocol alone: whatever else reads or prints from now on misses the wire."""
    wire_in, wire_out = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    try:
        os.dup2(2, 1)
    except OSError:
        os.dup2(nothing, 1)
    os.close(nothing)
    sys.stdout = sys.stderr
    return wire_in, wire_out
