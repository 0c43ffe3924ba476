"""Answers the handshake and `tools/list` from a file, and loads nothing else until somebody asks for more.

Clients start a server in every window, and some before a model's first turn: what they ask first is always the same.
The answers are the SDK's own (`docs/answers.py` writes them, a test compares them), and whatever is not plainly one of
these questions is handed over, with what has to be said again for the SDK's server to be where the client is.

Standard library only, and of that only what is needed: every import is waited for, in every window.
"""

from __future__ import annotations

import json
import os
import sys

from blikk_mcp import __version__
from blikk_mcp.transports.plain import is_object, is_plain_envelope, is_plain_id, is_plain_initialize, is_plain_meta

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from blikk_mcp.settings.door import DoorSettings
    from blikk_mcp.transports.wire import Line, Wire

ANSWERS = os.path.join(os.path.dirname(__file__), "answers.json")
MODERN = "2026-07-28"
HANDSHAKE = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")

MAX_LINE_BYTES = 16 * 1024
MAX_BRACKETS = 100
"""Deeper than that the parsers differ; nothing the door knows is as long or as deep as this."""

LAST_ANSWERS_SECONDS = 0.5
IDLE = b"\n"
"""Stands for no line: a line ends where its break is."""

KEY_WINDOW = 16
"""No run of so many characters of the key goes out; of a shorter key, not the whole."""


class Handover:
    """What the SDK's server has to know: the lines that brought the client where it is, and the first one for it."""

    __slots__ = ("line", "replayed")

    def __init__(self, replayed: tuple[bytes, ...] = (), line: Line | None = None) -> None:
        self.replayed = replayed
        self.line = line


class Answers:
    """The SDK's answers under certain settings, as JSON."""

    def __init__(self, results: dict[str, Any], key: str) -> None:
        self._results = results
        self._windows = [key[at : at + KEY_WINDOW] for at in range(max(1, len(key) - KEY_WINDOW + 1))] if key else []

    def to(self, method: str, version: str) -> str | None:
        """The result, or None if it is not known or must not go out like this."""
        result = self._results.get(f"{method} {version}")
        if result is None:
            return None
        text = json.dumps(result, ensure_ascii=False, separators=(",", ":"))
        # A key that is made of our own words is redacted after the door.
        return None if any(window in text for window in self._windows) else text


def read_answers(settings: DoorSettings, file: str = ANSWERS) -> Answers | None:
    """The answers under these settings; None if they are another version's, whose answers may differ."""
    try:
        with open(file, encoding="utf-8") as opened:
            stored = json.load(opened)
        if any(not _is_running(name, version) for name, version in stored["versions"].items()):
            return None
        places, results = stored["answers"][settings.name], stored["results"]
        return Answers({question: results[place] for question, place in places.items()}, settings.key)
    except (OSError, ValueError, LookupError):
        return None


def _is_running(name: str, version: str) -> bool:
    """Whether a package has this version, seen from its folder: `importlib.metadata` takes longer than all the rest."""
    if name == "blikk-mcp":
        return version == __version__
    return any(os.path.isdir(f"{entry}/{name}-{version}.dist-info") for entry in sys.path if entry)


class FrontDoor:
    """Answers what it knows, one line after the other, until a line is for the SDK's server."""

    def __init__(self, wire: Wire, answers: Answers) -> None:
        self._wire = wire
        self._answers = answers
        self._era = ""
        """The revision spoken; `""` before the first request but probes, `opened` after a ping as the first."""
        self._replayed: list[bytes] = []

    def serve(self, idle_seconds: float | None = None) -> Handover | None:
        """Answer until there is something to hand over; None if the client hangs up before.

        Hand over without a line, too, once nothing came for `idle_seconds`: somebody else may want the server then.
        """
        while (line := self._next_line(idle_seconds)) is not None:
            if line == IDLE:
                return Handover(tuple(self._replayed))
            answer = self.answer(line)
            if answer is None:
                return Handover(tuple(self._replayed), line)
            if answer:
                self._wire.send(answer)
        self._wire.drain(LAST_ANSWERS_SECONDS)
        return None

    def _next_line(self, idle_seconds: float | None) -> Line | None:
        try:
            return self._wire.next_line(idle_seconds)
        except TimeoutError:
            return IDLE

    def answer(self, line: Line) -> bytes | None:
        """The answer to a line, `b""` if it gets none, or None if it is not for the door."""
        message = _plain_message(line)
        if message is None or not isinstance(line, bytes):
            return None
        params = message.get("params", {})
        if "id" not in message:
            return self._heard(message["method"], params, line)
        method = message["method"]
        if method == "ping":
            result = self._ping(params, line)
        elif method == "initialize":
            result = self._initialize(params, line)
        elif method == "server/discover":
            result = (
                self._answers.to(method, MODERN) if self._era in ("", MODERN) and is_plain_envelope(params) else None
            )
        elif method == "tools/list":
            result = self._list(params, line)
        else:
            result = None
        if result is None:
            return None
        number = json.dumps(message["id"])
        return f'{{"jsonrpc":"2.0","id":{number},"result":{result}}}\n'.encode()

    def _heard(self, method: str, params: dict[str, Any], line: bytes) -> bytes | None:
        if self._era in HANDSHAKE and method == "notifications/initialized" and not params:
            if line not in self._replayed:
                self._replayed.append(line)
            return b""
        if self._era in (*HANDSHAKE, MODERN) and method == "notifications/cancelled":
            # Whatever it was, the door has answered it already.
            return b"" if set(params) <= {"requestId", "reason"} and is_plain_id(params.get("requestId")) else None
        return None

    def _ping(self, params: dict[str, Any], line: bytes) -> str | None:
        if self._era == MODERN or not is_plain_meta(params):
            return None
        if not self._era:
            self._era = "opened"
            self._replayed.append(line)
        return "{}"

    def _initialize(self, params: dict[str, Any], line: bytes) -> str | None:
        if self._era not in ("", "opened") or not is_plain_initialize(params):
            return None
        version = params["protocolVersion"]
        version = version if version in HANDSHAKE else HANDSHAKE[-1]
        result = self._answers.to("initialize", version)
        if result is not None:
            self._era = version
            self._replayed.append(line)
        return result

    def _list(self, params: dict[str, Any], line: bytes) -> str | None:
        if self._era in HANDSHAKE and is_plain_meta(params):
            return self._answers.to("tools/list", self._era)
        if self._era not in ("", MODERN) or not is_plain_envelope(params):
            return None
        result = self._answers.to("tools/list", MODERN)
        if result is not None and not self._era:
            self._era = MODERN
            self._replayed.append(line)
        return result


def _plain_message(line: Line) -> dict[str, Any] | None:
    """A request or notification of the ordinary shape, or None: a parser that is sure of less is not needed."""
    if not isinstance(line, bytes) or len(line) > MAX_LINE_BYTES or b"\\ud" in line.lower():
        return None
    if line.count(b"{") + line.count(b"[") > MAX_BRACKETS:
        return None
    try:
        message = json.loads(line.decode(), parse_constant=_refuse)
    except ValueError:
        return None
    if not is_object(message) or not {"jsonrpc", "method"} <= set(message) <= {
        "jsonrpc",
        "id",
        "method",
        "params",
    }:
        return None
    if message["jsonrpc"] != "2.0" or not isinstance(message["method"], str):
        return None
    if not is_object(message.get("params", {})) or not is_plain_id(message.get("id", 0)):
        return None
    return message


def _refuse(constant: str) -> None:
    raise ValueError("NaN and its like are no JSON")
