"""Turn a line of stdin into a message, or into the error to answer it with."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, cast

import mcp_types as types
from mcp.shared.message import SessionMessage

from blikk_mcp.transports.wire import EDGE_BYTES, Line, TooLong

_SCALARS = rb'(?:"(?:jsonrpc|method)"\s*:\s*"[^"\\]{0,200}"\s*,\s*)*'
_ID = rb'"id"\s*:\s*(-?[0-9]{1,18}|"[^"\\]{0,200}")'
_ID_AT_THE_START = re.compile(rb"\s*\{\s*" + _SCALARS + _ID + rb"\s*,")
_ID_AT_THE_END = re.compile(
    rb",\s*" + _SCALARS + _ID + rb'\s*(?:,\s*"(?:jsonrpc|method)"\s*:\s*"[^"\\]{0,200}"\s*)*\}\s*\Z'
)


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that cannot be taken: its answer, and what the log says of it. A response of the client's gets no answer."""

    answer: SessionMessage | None
    reason: str


def read_message(line: Line) -> SessionMessage | Refused:
    """The message in a line. What it says is for the server to judge: this is about its frame.

    The line itself is in no answer and in no log: whatever it is, it is not ours to repeat.
    """
    if isinstance(line, TooLong):
        return _refused(_id_at_an_edge(line), types.INVALID_REQUEST, "the line is too long")
    try:
        message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValueError:
        return _refusal_of(line)
    # The SDK's parser takes a request with an id that is none for a notification, which nobody answers.
    if isinstance(message, types.JSONRPCNotification) and "id" in json.loads(line):
        return _refused(None, types.PARSE_ERROR, "the request's id is neither a string nor a whole number")
    return SessionMessage(message)


def _refusal_of(line: bytes) -> Refused:
    try:
        raw: Any = json.loads(line.decode())
    except ValueError:
        return _refused(None, types.PARSE_ERROR, "the line is no JSON")
    except RecursionError:
        number = _id_at_an_edge(TooLong(line[:EDGE_BYTES], line[-EDGE_BYTES:]))
        return _refused(number, types.INVALID_PARAMS, "the line is nested too deeply")
    if not isinstance(raw, dict):
        return _refused(None, types.PARSE_ERROR, "the line is no single JSON-RPC message")
    fields = cast("dict[str, Any]", raw)
    if "method" not in fields and ("result" in fields or "error" in fields):
        return Refused(None, "a response that is none")
    number = fields.get("id")
    if not _is_id(number):
        return _refused(None, types.PARSE_ERROR, "the line is no JSON-RPC message")
    if fields.get("jsonrpc") != "2.0" or not isinstance(fields.get("method"), str):
        return _refused(number, types.INVALID_REQUEST, "the line is no JSON-RPC request")
    return _refused(number, types.INVALID_PARAMS, "the request's params are no object of valid Unicode text")


def _refused(number: types.RequestId | None, code: int, reason: str) -> Refused:
    # An error without an id says that the line could not be made out at all (JSON-RPC 2.0, section 5).
    code = types.PARSE_ERROR if number is None else code
    error = types.ErrorData(code=code, message=f"{reason[0].upper()}{reason[1:]}")
    return Refused(SessionMessage(types.JSONRPCError(jsonrpc="2.0", id=number, error=error)), reason)


def _is_id(value: object) -> bool:
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    return isinstance(value, int) and not isinstance(value, bool)


def _id_at_an_edge(line: TooLong) -> types.RequestId | None:
    """The id of a message that was not kept: clients write it among the first members or as one of the last."""
    if not line.head.lstrip().startswith(b"{"):
        return None
    found = _ID_AT_THE_START.match(line.head) or _ID_AT_THE_END.search(line.tail)
    try:
        return json.loads(found[1]) if found else None
    except ValueError:
        return None
