"""Faults on demand: what the next requests meet, in the order in which the faults were asked for.

A fault comes before the request takes effect (no payment is made) or after it (a payment is made, and the
caller may never learn of it). `commit` overrides what is usual for the name.
"""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, cast
from urllib.parse import quote

import anyio
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.requests import Request
from starlette.responses import Response

from blikk_sandbox.dropping import CutShort, DropStyle, LostAnswer, gzip_bomb, huge, until_disconnected
from blikk_sandbox.problems import json_response, problem_response

MAX_FAULTS: Final = 1_000
MAX_FILLER_BYTES: Final = 1024**3

Operation = Literal["create", "read"]


class FaultName(StrEnum):
    """The faults that can be asked for."""

    ANSWER_LOST_BEFORE_COMMIT = "answer_lost_before_commit"
    ANSWER_LOST_AFTER_COMMIT = "answer_lost_after_commit"
    ERROR_BEFORE_COMMIT = "error_before_commit"
    ERROR_AFTER_COMMIT = "error_after_commit"
    SLOW = "slow"
    GARBAGE = "garbage"
    NO_ID = "no_id"
    RATE_LIMITED = "rate_limited"
    WRONG_CHANNEL = "wrong_channel"
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not_found"
    EMPTY_502 = "empty_502"
    PLAIN_404 = "plain_404"
    HUGE_BODY = "huge_body"
    GZIP_BOMB = "gzip_bomb"
    ECHO_KEY = "echo_key"
    PROBLEM = "problem"
    TRUNCATED = "truncated"


_AFTER_COMMIT: Final = frozenset(
    {
        FaultName.ANSWER_LOST_AFTER_COMMIT,
        FaultName.ERROR_AFTER_COMMIT,
        FaultName.SLOW,
        FaultName.GARBAGE,
        FaultName.NO_ID,
        FaultName.HUGE_BODY,
        FaultName.GZIP_BOMB,
        FaultName.TRUNCATED,
    }
)
_SPOILS_THE_TRUE_ANSWER: Final = _AFTER_COMMIT - {
    FaultName.ANSWER_LOST_AFTER_COMMIT,
    FaultName.ERROR_AFTER_COMMIT,
    FaultName.SLOW,
}
_USUAL_STATUS: Final = {
    FaultName.RATE_LIMITED: 429,
    FaultName.WRONG_CHANNEL: 403,
    FaultName.UNAUTHORIZED: 401,
    FaultName.NOT_FOUND: 404,
    FaultName.EMPTY_502: 502,
    FaultName.PLAIN_404: 404,
    FaultName.ECHO_KEY: 400,
    FaultName.PROBLEM: 400,
}


class Fault(BaseModel):
    """One fault and how often it is still to come. What a parameter means depends on `fault`."""

    model_config = ConfigDict(extra="forbid")

    fault: FaultName
    operation: Literal["create", "read", "any"] = "any"
    times: Annotated[int, Field(ge=1, le=10_000, strict=True)] = 1
    commit: bool | None = None
    status: Annotated[int, Field(ge=200, le=599, strict=True)] | None = None
    detail: str | None = None
    errors: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]])
    retry_after: int | str | None = None
    headers: dict[str, str] = Field(default_factory=dict[str, str])
    body: str | None = None
    seconds: Annotated[float, Field(ge=0, le=600)] = 5.0
    size_bytes: Annotated[int, Field(ge=1, le=MAX_FILLER_BYTES)] = 64 * 1024**2
    drop: DropStyle = "reset"

    @property
    def commits(self) -> bool:
        """Whether the request takes effect in spite of the fault."""
        return self.fault in _AFTER_COMMIT if self.commit is None else self.commit

    @model_validator(mode="after")
    def _commit_fits(self) -> Fault:
        if self.commit is False and self.fault in _SPOILS_THE_TRUE_ANSWER:
            raise ValueError("this fault spoils the true answer, so the request has to take effect")
        return self


class Faults:
    """The faults still to come."""

    def __init__(self) -> None:
        self._queue: deque[Fault] = deque()

    def add(self, fault: Fault) -> None:
        """Queue a fault. Raises `ValueError` when too many wait."""
        if len(self._queue) >= MAX_FAULTS:
            raise ValueError(f"{MAX_FAULTS} faults wait already")
        self._queue.append(fault)

    def set(self, faults: Sequence[Fault]) -> None:
        """These faults and no others. Raises `ValueError` for too many."""
        if len(faults) > MAX_FAULTS:
            raise ValueError(f"more than {MAX_FAULTS} faults")
        self._queue = deque(faults)

    def all(self) -> list[Fault]:
        """The faults still to come."""
        return list(self._queue)

    def waiting(self) -> list[dict[str, Any]]:
        """The faults still to come, as JSON."""
        return [fault.model_dump(mode="json", exclude_defaults=True) | {"times": fault.times} for fault in self._queue]

    async def around(self, operation: Operation, request: Request, perform: Callable[[], Response]) -> Response:
        """The answer to a request: what `perform` says, or what the next fault makes of it."""
        fault = self._take(operation)
        if fault is None:
            return perform()
        if fault.fault is FaultName.SLOW and not fault.commits:
            await _wait(request, fault.seconds)
            return perform()
        true_answer = perform() if fault.commits else None
        if fault.fault is FaultName.SLOW:
            await _wait(request, fault.seconds)
        return _spoilt(fault, request, true_answer)

    def _take(self, operation: Operation) -> Fault | None:
        for fault in self._queue:
            if fault.operation in (operation, "any"):
                if fault.times > 1:
                    fault.times -= 1
                else:
                    self._queue.remove(fault)
                return fault
        return None


async def _wait(request: Request, seconds: float) -> None:
    """Let `seconds` go by, or stop when the client has given up: its request takes effect all the same."""
    with anyio.move_on_after(seconds):
        await until_disconnected(request.receive)


def _spoilt(fault: Fault, request: Request, true_answer: Response | None) -> Response:
    match fault.fault:
        case FaultName.ANSWER_LOST_BEFORE_COMMIT | FaultName.ANSWER_LOST_AFTER_COMMIT:
            return LostAnswer(fault.drop)
        case FaultName.EMPTY_502:
            return Response(b"", fault.status or 502, fault.headers)
        case FaultName.PLAIN_404:
            return Response("404 page not found\n", fault.status or 404, fault.headers, "text/plain")
        case FaultName.ECHO_KEY:
            return _refusal(fault, _every_encoding(request.headers.get("api-key", "")))
        case _:
            return _refusal(fault) if true_answer is None else _disfigured(fault, true_answer)


def _disfigured(fault: Fault, true_answer: Response) -> Response:
    match fault.fault:
        case FaultName.SLOW:
            return true_answer
        case FaultName.GARBAGE:
            text = '{"id": "pay_' if fault.body is None else fault.body
            return Response(text, fault.status or true_answer.status_code, fault.headers, "application/json")
        case FaultName.NO_ID:
            content = cast("dict[str, Any]", json.loads(bytes(true_answer.body)))
            content.pop("id", None)
            return json_response(content, true_answer.status_code)
        case FaultName.HUGE_BODY:
            return huge(true_answer, fault.size_bytes)
        case FaultName.GZIP_BOMB:
            return gzip_bomb(true_answer, fault.size_bytes)
        case FaultName.TRUNCATED:
            return CutShort(true_answer)
        case _:
            return _refusal(fault)


def _refusal(fault: Fault, detail: str = "") -> Response:
    status = fault.status or _USUAL_STATUS.get(fault.fault, 500)
    headers = dict(fault.headers)
    if fault.retry_after is not None or fault.fault is FaultName.RATE_LIMITED:
        headers["Retry-After"] = str(1 if fault.retry_after is None else fault.retry_after)
    if fault.body is not None:
        return Response(fault.body, status, headers)
    if status in (204, 304):
        return Response(b"", status, headers)
    return problem_response(status, fault.detail or detail or "A fault that was asked for.", fault.errors, headers)


def _every_encoding(key: str) -> str:
    raw = key.encode("latin-1", "replace")
    # Three alignments: text around the key shifts where its base64 begins.
    aligned = [base64.b64encode(b"x" * shift + raw).decode() for shift in range(3)]
    escaped = "".join(f"\\u{ord(character):04x}" for character in key)
    every = {
        "plain": key,
        "url": quote(key, safe=""),
        "percent": "".join(f"%{byte:02X}" for byte in raw),
        "base64": " ".join(aligned),
        "base64url": base64.urlsafe_b64encode(raw).decode().rstrip("="),
        "hex": raw.hex(),
        "HEX": raw.hex().upper(),
        "reversed": key[::-1],
        "escaped": escaped,
        "wrapped": "\n".join(key[start : start + 20] for start in range(0, len(key), 20)),
    }
    return "Invalid key. " + " ".join(f"{name}={text}" for name, text in every.items())
