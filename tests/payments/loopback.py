"""A stand-in for Blikk that misbehaves on a real loopback socket, byte by byte as a test writes it."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Answer = Callable[["Received", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Received:
    """One request as it arrived; `connection` counts connections from 1."""

    connection: int
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass
class Loopback:
    """The running stand-in: `answers` are given in order, the last one again and again."""

    answers: list[Answer]
    port: int = 0
    connections: int = 0
    requests: list[Received] = field(default_factory=list[Received])
    raw: bytes = b""

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/paymentchannel"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = self.connections
        try:
            while (received := await self._receive(connection, reader)) is not None:
                self.requests.append(received)
                await self.answers[min(len(self.requests), len(self.answers)) - 1](received, writer)
                await writer.drain()
                if writer.is_closing():
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _receive(self, connection: int, reader: asyncio.StreamReader) -> Received | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as rest:
            self.raw += rest.partial
            return None
        first, *lines = head.decode("latin-1").rstrip().split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        body = await reader.readexactly(length)
        self.raw += head + body
        return Received(connection, method, target, headers, body)


@asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    context: ssl.SSLContext | None = None,
) -> AsyncGenerator[int]:
    """Serve every connection to a free port of this machine, with TLS if there is a context; gives the port."""
    tasks: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        tasks.add(asyncio.ensure_future(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        # A connection that is being accepted takes some turns of the loop; asyncio leaks it if closed before.
        for _ in range(10):
            await asyncio.sleep(0)
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # A task that was cancelled before its first step has closed nothing.
        for writer in writers:
            # A TLS transport of Python 3.11.2 (Debian's) that was closed twice has nothing left to abort, and says so.
            with suppress(AttributeError):
                writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


@asynccontextmanager
async def loopback(*answers: Answer, context: ssl.SSLContext | None = None) -> AsyncGenerator[Loopback]:
    """Run the stand-in on a free port of this machine."""
    state = Loopback(list(answers))
    async with listening(state.serve, context) as state.port:
        yield state


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def raw(data: bytes, *, close: bool = True) -> Answer:
    """These very bytes, then the end of the connection."""

    async def answer(received: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if close:
            writer.close()

    return answer


def http(status: int, body: bytes = b"", *headers: tuple[str, str], content_type: str = "application/json") -> Answer:
    """A well-formed answer; the connection stays open."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return raw("\r\n".join([*lines, "", ""]).encode() + body, close=False)


def as_json(status: int, document: object, *headers: tuple[str, str]) -> Answer:
    """A well-formed JSON answer."""
    return http(status, json.dumps(document).encode(), *headers)


async def reset(received: Received, writer: asyncio.StreamWriter) -> None:
    """Take the request and reset the connection (RST, not FIN)."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    writer.transport.abort()


async def hang(received: Received, writer: asyncio.StreamWriter) -> None:
    """Take the request and never answer."""
    await asyncio.Event().wait()


async def half_close(received: Received, writer: asyncio.StreamWriter) -> None:
    """Say that nothing will come, and stay connected."""
    writer.write_eof()
    await asyncio.Event().wait()


def drip(status: int) -> Answer:
    """A status at once, and then a body that never ends, each byte in time for a read time-out."""

    async def answer(received: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} Said\r\nContent-Length: 100000\r\n\r\n".encode())
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    return answer


async def drip_head(received: Received, writer: asyncio.StreamWriter) -> None:
    """Not even the status ends."""
    writer.write(b"HTTP/1.1 200 ")
    while True:
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0.01)
