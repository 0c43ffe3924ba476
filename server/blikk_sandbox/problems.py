"""Errors as RFC 9457 problem details, in the shape that a sister API of Blikk's sends."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

PROBLEM_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong with a request. `location` is a path such as `body.creditor.iban`."""

    message: str
    location: str
    value: Any = None

    def as_json(self) -> dict[str, Any]:
        return {"message": self.message, "location": self.location, "value": self.value}


class Problem(Exception):
    """An answer that refuses. `headers` are sent along."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[Violation] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = headers

    def response(self) -> Response:
        """The refusal as a response."""
        return problem_response(self.status, self.detail, [error.as_json() for error in self.errors], self.headers)


def title_of(status: int) -> str:
    """The standard words for a status code, or `Error` where there are none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def json_response(content: Any, status: int = 200, media_type: str = "application/json") -> Response:
    """JSON in ASCII, so that a lone surrogate in an echoed value cannot break the answer."""
    return Response(json.dumps(content), status, headers={"Cache-Control": "no-store"}, media_type=media_type)


def problem_response(
    status: int,
    detail: str,
    errors: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Problem details with `type`, `title`, `status`, `detail` and, where there are any, `errors`."""
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": title_of(status),
        "status": status,
        "detail": detail,
    }
    if errors:
        content["errors"] = list(errors)
    response = json_response(content, status, PROBLEM_TYPE)
    response.headers.update(headers or {})
    return response
