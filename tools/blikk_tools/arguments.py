"""Checking what an agent sends: strict types, exact names, and complaints that name the field and never the value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from blikk_payments.errors import ErrorCode, PaymentsError
from blikk_payments.models import PaymentIntent

IDEMPOTENCY_KEY_PATTERN = r"^[A-Za-z0-9._:-]{8,128}$"
MAX_COMPLAINTS = 5

IDEMPOTENCY_KEY = re.compile(IDEMPOTENCY_KEY_PATTERN)

_KINDS: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a decimal number",
    str: "text",
    list: "a list",
    dict: "an object",
    type(None): "null",
}
"""What an argument can be in JSON, in the words of a complaint; the value itself is never repeated."""

_EXPECTED = {"int_type": "a whole number", "string_type": "text", "bool_type": "true or false"}
"""By pydantic's type of error: what was expected."""

A = TypeVar("A", bound="Arguments")


class InvalidArguments(PaymentsError):
    """The call's arguments break a rule; nothing was sent. The message names fields and rules, never values."""

    code = ErrorCode.INVALID_ARGUMENTS


@dataclass(frozen=True, slots=True)
class Subject:
    """Which payment a call is about, as far as its arguments say: what its error and its log line name."""

    payment_id: str = ""
    idempotency_key: str = ""
    intent: PaymentIntent | None = None


NO_SUBJECT = Subject()


class Arguments(BaseModel):
    """Base of every tool's arguments: no coercion, no unknown names, nothing of the input in an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _leave_out(cls, raw: Any) -> Any:
        """Take `null` and `""` for an optional argument as left out: some frameworks make models fill in every one."""
        given = cast("dict[str, Any]", raw)
        return {name: value for name, value in given.items() if not (cls._optional(name) and value in (None, ""))}

    def subject(self) -> Subject:
        """Tell which payment these are about; by default, none."""
        return NO_SUBJECT

    @classmethod
    def _optional(cls, name: str) -> bool:
        field = cls.model_fields.get(name)
        return field is not None and not field.is_required()


def checked(model: type[A], raw: Mapping[str, Any] | None) -> A:
    """Read the arguments into their model.

    Raises:
        InvalidArguments: what is wrong, one clause a field.
    """
    try:
        return model.model_validate(dict(raw or {}))
    except ValidationError as error:
        # Of the input only its kind is told, and of an unknown argument not even the name: it is the caller's text.
        clauses = [_clause(problem, model) for problem in error.errors(include_url=False)[:MAX_COMPLAINTS]]
    raise InvalidArguments("; ".join(clauses))


def input_schema(model: type[Arguments]) -> dict[str, Any]:
    """Make the JSON Schema of a tool's arguments: flat, without titles, references or null.

    That there are no others is checked and not advertised: google-genai cannot read `additionalProperties`.
    """
    schema = model.model_json_schema()
    for prop in schema["properties"].values():
        prop.pop("title", None)
        # What is left out is left out: a default of "" or 0 would only invite models to send it.
        if prop.get("default") in ("", 0) and prop["type"] != "boolean":
            del prop["default"]
    required = {"required": schema["required"]} if "required" in schema else {}
    return {"type": "object", "properties": schema["properties"], **required}


def _clause(problem: Any, model: type[Arguments]) -> str:
    if problem["type"] == "extra_forbidden":
        return f"unknown argument: there are only {', '.join(model.model_fields)}"
    name = str(problem["loc"][0]) if problem["loc"] else "arguments"
    return f"{name}: {_rule(problem)}"


def _rule(problem: Any) -> str:
    context = problem.get("ctx", {})
    match problem["type"]:
        case "missing":
            return "is required"
        case "int_type" | "string_type" | "bool_type":
            given: object = problem["input"]
            kind = next((words for kind, words in _KINDS.items() if isinstance(given, kind)), "that")
            return f"must be {_EXPECTED[problem['type']]}, not {kind}"
        case "greater_than_equal":
            return f"must be {context['ge']} or more"
        case "less_than_equal":
            return f"must be {context['le']} or less"
        case "literal_error":
            return f"must be {context['expected']}"
        case "string_pattern_mismatch":
            return "must be 8 to 128 of the characters A-Z a-z 0-9 . _ : -"
        case _:
            return str(problem["msg"]).removeprefix("Value error, ")
