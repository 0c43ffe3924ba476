"""Answers that break: a connection dropped without a byte, an answer cut short, a body without end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import zlib
from collections.abc import AsyncIterator
from typing import Final, Literal

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

TRANSPORT: Final = "blikk_sandbox.transport"
"""Where the server puts the connection's transport in the ASGI scope's state."""

DropStyle = Literal["reset", "close"]
_PIECE_BYTES: Final = 65_536


async def until_disconnected(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _transport(scope: Scope) -> asyncio.Transport:
    transport = scope.get("state", {}).get(TRANSPORT)
    if not isinstance(transport, asyncio.Transport):
        # In-process clients have no connection to drop: what they would see is raised.
        raise ConnectionResetError("the sandbox dropped the connection")
    return transport


class LostAnswer(Response):
    """No byte of an answer: the connection is reset, or closed if `style` says so."""

    def __init__(self, style: DropStyle = "reset") -> None:
        super().__init__()
        self.style = style

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = _transport(scope)
        if self.style == "reset":
            # Lingering for zero seconds makes the kernel send a RST instead of a FIN.
            with contextlib.suppress(OSError):
                connection = transport.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        else:
            transport.close()
        await until_disconnected(receive)


class CutShort(Response):
    """The answer `whole`, announced as longer than it is, and then the connection closes."""

    def __init__(self, whole: Response) -> None:
        super().__init__(whole.body, whole.status_code, media_type=whole.media_type)
        self.headers["content-type"] = whole.headers.get("content-type", "application/json")
        self.headers["content-length"] = str(len(self.body) + 1000)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = _transport(scope)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        transport.close()
        await until_disconnected(receive)


def huge(whole: Response, size_bytes: int) -> Response:
    """The answer `whole` with a filler of `size_bytes`, and no length given ahead."""

    async def pieces() -> AsyncIterator[bytes]:
        yield _opened(whole) + b'"filler": "'
        for sent in range(0, size_bytes, _PIECE_BYTES):
            yield b"x" * min(_PIECE_BYTES, size_bytes - sent)
        yield b'"}'

    return StreamingResponse(pieces(), whole.status_code, media_type="application/json")


def gzip_bomb(whole: Response, size_bytes: int) -> Response:
    """The same, but packed by gzip to about a thousandth."""

    async def pieces() -> AsyncIterator[bytes]:
        packer = zlib.compressobj(level=9, wbits=31)
        yield packer.compress(_opened(whole) + b'"filler": "')
        for sent in range(0, size_bytes, _PIECE_BYTES):
            yield packer.compress(b"x" * min(_PIECE_BYTES, size_bytes - sent))
        yield packer.compress(b'"}') + packer.flush()

    headers = {"Content-Encoding": "gzip"}
    return StreamingResponse(pieces(), whole.status_code, headers=headers, media_type="application/json")


def _opened(whole: Response) -> bytes:
    """The JSON object of an answer, open for one more field."""
    content = json.loads(bytes(whole.body))
    return json.dumps(content).encode()[:-1] + b", "
