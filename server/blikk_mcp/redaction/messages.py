"""Redacts what is written as JSON: the values of strings alone, so that names, numbers and ids stay what they are."""

from __future__ import annotations

import json
from typing import Any, cast

from blikk_mcp.redaction.redactor import MARK, Redactor

IDS = frozenset({"id", "payment_id", "idempotency_key", "progressToken", "requestId", "requestState", "taskId", "uri"})
"""Strings that stand for something: replaced only if a whole secret is in them, since a part of them names nothing."""

OUR_WORDS = frozenset(
    {
        *("jsonrpc", "method", "protocolVersion", "name", "type", "mimeType", "mode", "resultType", "version"),
        *("outcome", "status", "human_action", "error_code", "environment", "currency"),
        *("inputSchema", "outputSchema", "requestedSchema", "capabilities"),
    }
)
"""Members with words of the protocol and of our own in them and nothing else: never replaced, whatever the secret."""


def redact_line(redactor: Redactor, line: str) -> str:
    """The line without the secrets, as valid JSON if it was; the same object if there are none in it."""
    if not redactor.leaks(line):
        return line
    return _text(redactor, line)


def _text(redactor: Redactor, text: str) -> str:
    try:
        value = json.loads(text) if text.startswith(("{", "[")) else None
    except (ValueError, RecursionError):
        value = None
    if value is None:
        return redactor.text(text)
    return json.dumps(_value(redactor, "", value), ensure_ascii=False, separators=(",", ":"))


def _value(redactor: Redactor, name: str, value: Any) -> Any:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {key: item if key in OUR_WORDS else _value(redactor, key, item) for key, item in members.items()}
    if isinstance(value, list):
        return [_value(redactor, name, item) for item in cast("list[Any]", value)]
    if not isinstance(value, str):
        return value
    if name in IDS:
        return MARK if redactor.holds_secret(value) else value
    # A tool's answer is there a second time, as JSON in a text.
    return _text(redactor, value) if name == "text" else redactor.text(value)
