"""Strict JSON with bounds on everything: what a parser would guess about or choke on is `Unreadable`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, cast

MAX_ANSWER_BYTES = 256 * 1024
MAX_DEPTH = 32

_INT64 = range(-(2**63), 2**63)
_INT64_DIGITS = 20


class Unreadable(Exception):
    """The answer cannot be understood. The text is a fixed phrase."""


def parse_json(body: bytes | None, *, max_bytes: int = MAX_ANSWER_BYTES) -> object:
    """Strict JSON: UTF-8, no duplicate names, no NaN or infinity, 64-bit integers, at most 32 levels deep.

    A body of None stands for one that was too large, packed in a way we do not unpack, or cut off.

    Raises:
        Unreadable: anything else.
    """
    if body is None or len(body) > max_bytes:
        raise Unreadable("it was too large, packed in a way we do not unpack, or cut off")
    document, readable = _parse(body)
    if not readable or not _is_shallow(document):
        raise Unreadable("it was not strict JSON")
    return document


def parse_object(body: bytes | None, *, max_bytes: int = MAX_ANSWER_BYTES) -> dict[str, Any]:
    """As `parse_json`, for an answer that has to be an object.

    Raises:
        Unreadable: not such JSON, or not an object.
    """
    document = parse_json(body, max_bytes=max_bytes)
    if not isinstance(document, dict):
        raise Unreadable("it was not a JSON object")
    return cast("dict[str, Any]", document)


def map_strings(value: object, change: Callable[[str], str]) -> Any:
    """The JSON value with every string in it changed, names too. As deep as `parse_json` lets it be."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [map_strings(item, change) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return {change(name): map_strings(item, change) for name, item in members.items()}
    return value


def _parse(body: bytes) -> tuple[object, bool]:
    """The document, and whether there is one. Not an exception: the parser's holds the body."""
    try:
        document: object = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_int64,
        )
    except (ValueError, RecursionError):
        return None, False
    return document, True


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate name")
    return members


def _no_constant(text: str) -> object:
    raise ValueError("not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("number too large")
    return number


def _int64(text: str) -> int:
    if len(text) > _INT64_DIGITS or int(text) not in _INT64:
        raise ValueError("number too large")
    return int(text)


def _is_shallow(document: object) -> bool:
    """Whether nothing is nested deeper than `MAX_DEPTH`; level by level, as recursion is what this guards."""
    level: list[object] = [document]
    for _ in range(MAX_DEPTH + 1):
        children: list[object] = []
        for value in level:
            if isinstance(value, dict):
                children.extend(cast("dict[str, object]", value).values())
            elif isinstance(value, list):
                children.extend(cast("list[object]", value))
        if not children:
            return True
        level = children
    return False
