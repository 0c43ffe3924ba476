"""Support: a Blikk that puts what it is told into any part of its answers, on a real loopback socket."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from tests.payments.loopback import Received

Write = Callable[[str, str], bytes]
"""An answer that carries a text, about the payment with this id."""


class EchoingBlikk:
    """Gives the answers that were lined up, and says SCA_REQUIRED where there are none."""

    def __init__(self) -> None:
        self.lined_up: deque[tuple[Write, str]] = deque()
        self.bodies: list[bytes] = []
        self._created = 0

    def line_up(self, write: Write, text: str) -> None:
        """The next request is answered like this."""
        self.lined_up.append((write, text))

    async def __call__(self, received: Received, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        if received.method == "POST":
            self._created += 1
            self.bodies.append(received.body)
            payment_id = f"pay_{self._created:06}"
        else:
            payment_id = received.target.rpartition("/")[2]
        write, text = self.lined_up.popleft() if self.lined_up else (in_field("status"), "SCA_REQUIRED")
        writer.write(write(text, payment_id))
        await writer.drain()
        # A reason or a header that is no HTTP leaves the connection in doubt.
        writer.close()


def http(status: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """An answer, with whatever the status line and the headers hold."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in {"Content-Type": "application/json", **(headers or {})}.items()]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1", "replace") + body


def payment(payment_id: str, **fields: Any) -> bytes:
    """A 200 about a payment that waits for a person, so that the next read asks again."""
    return http("200 OK", json.dumps({"id": payment_id, "status": "SCA_REQUIRED", **fields}).encode())


def in_field(name: str) -> Write:
    """The text is a field of a payment."""
    return lambda text, payment_id: payment(payment_id, **{name: text})


def problem(status: str = "400 Bad Request", **fields: Any) -> bytes:
    """Problem details."""
    return http(status, json.dumps(fields).encode(), {"Content-Type": "application/problem+json"})


def _escaped(text: str) -> str:
    return "".join(f"\\u{ord(character):04x}" for character in text)


def _split(text: str, _: str) -> bytes:
    """Halves that neither look like the whole, in fields that are joined with words between them."""
    half = len(text) // 2
    return problem(title=text[:half], detail=text[half:], errors=[{"location": text[:half], "message": text[half:]}])


REFUSALS: dict[str, Write] = {
    "problem detail": lambda text, _: problem(detail=f"The key {text} is not valid"),
    "problem title": lambda text, _: problem(title=text, detail="no"),
    "problem errors[].message": lambda text, _: problem(detail="no", errors=[{"message": text, "location": "body"}]),
    "problem errors[].location": lambda text, _: problem(detail="no", errors=[{"message": "no", "location": text}]),
    "problem errors[].value": lambda text, _: problem(detail="no", errors=[{"message": "no", "value": text}]),
    "problem type": lambda text, _: problem(type=f"https://blikk.example/{text}", instance=text),
    "problem in two halves": _split,
    "problem with escaped letters": lambda text, _: http(
        "400 Bad Request", b'{"title":"no","detail":"' + _escaped(text).encode() + b'"}'
    ),
    "plain text": lambda text, _: http("401 Unauthorized", text.encode(), {"Content-Type": "text/plain"}),
    "a page": lambda text, _: http("403 Forbidden", f"<h1>{text}</h1>".encode(), {"Content-Type": "text/html"}),
    "reason phrase": lambda text, _: http(f"401 {text}", b"{}"),
    "headers": lambda text, _: http(
        "401 Unauthorized",
        b"{}",
        {"WWW-Authenticate": text, "Set-Cookie": f"key={text}", "Content-Type": text, "X-Echo": text},
    ),
    "a name of a field": lambda text, _: problem("404 Not Found", **{text: text, "detail": "no"}),
}
"""Ways in which Blikk's refusal can carry a text; each is definite."""

CREATED: dict[str, Write] = {
    "message": in_field("message"),
    "redirectUrl": in_field("redirectUrl"),
    "redirectUrl, within a link": lambda text, payment_id: payment(
        payment_id, redirectUrl=f"https://bank.example.is/approve?k={text}"
    ),
    "status": in_field("status"),
    "currency": in_field("currency"),
    "amount": in_field("amount"),
    "a field nobody knows": in_field("trace"),
    "reason phrase of a success": lambda text, payment_id: payment(payment_id).replace(b"OK", text.encode(), 1),
    "headers of a success": lambda text, payment_id: payment(payment_id).replace(
        b"application/json", f"{text}\r\nRetry-After: {text}\r\nX-Echo: {text}".encode(), 1
    ),
}
"""Ways in which a payment's answer can carry a text."""

LOST: dict[str, Write] = {
    "id": lambda text, _: payment(text, message=text),
    "redirect": lambda text, _: http("302 Found", b"", {"Location": f"https://blikk.example/{text}"}),
    "server error": lambda text, _: problem("500 Internal Server Error", detail=text),
    "not JSON": lambda text, _: http("200 OK", f'{{"id": "{text}'.encode()),
    "twice the same field": lambda text, _: http("200 OK", f'{{"id": "x", "id": "{text}"}}'.encode()),
    "cut short": lambda text, payment_id: payment(payment_id, message=text).replace(b"Length: ", b"Length: 9", 1),
    "an invalid header": lambda text, payment_id: payment(payment_id).replace(b"Content-Type", text.encode(), 1),
    "no HTTP": lambda text, _: text.encode() + b"\r\n\r\n",
}
"""Ways in which an answer that tells nothing can carry a text: what became of the payment is unknown."""
