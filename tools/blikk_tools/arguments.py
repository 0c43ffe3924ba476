"""Checking what an agent sends: strict types, exact names, and complaints that name the field and never the value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from blikk_payments.errors import PaymentsError

IDEMPOTENCY_KEY_PATTERN = r"^[A-Za-z0-9._:-]{8,128}$"
COMPLAINTS_AT_MOST = 5

IDEMPOTENCY_KEY = re.compile(IDEMPOTENCY_KEY_PATTERN)

_ARGUMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")

A = TypeVar("A", bound="Arguments")


class InvalidArguments(PaymentsError):
    """The call's arguments break a rule; nothing was sent. The message names fields and rules, never values."""

    code = "invalid_arguments"


class Arguments(BaseModel):
    """Base of every tool's arguments: no coercion, no unknown names, nothing of the input in an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


def checked(model: type[A], raw: Mapping[str, Any] | None) -> A:
    """The arguments as their model.

    Raises:
        InvalidArguments: what is wrong, one clause a field.
    """
    try:
        return model.model_validate(dict(raw or {}))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
    clauses = [f"{_name(problem['loc'], model)}: {_rule(problem)}" for problem in problems[:COMPLAINTS_AT_MOST]]
    raise InvalidArguments("; ".join(clauses))


def input_schema(model: type[Arguments]) -> dict[str, Any]:
    """The JSON Schema of a tool's arguments: flat, without titles, references or null."""
    schema = model.model_json_schema()
    for prop in schema["properties"].values():
        prop.pop("title", None)
        # What is left out is left out: a default of "" or 0 would only invite models to send it.
        if prop.get("default") in ("", 0) and prop["type"] != "boolean":
            del prop["default"]
    return {
        "type": "object",
        "properties": schema["properties"],
        **({"required": schema["required"]} if "required" in schema else {}),
        "additionalProperties": False,
    }


def _name(location: tuple[int | str, ...], model: type[Arguments]) -> str:
    if not location:
        return "arguments"
    name = str(location[0])
    # An unknown argument's name is the caller's own text: repeated only if it cannot be anything but a name.
    return name if name in model.model_fields or _ARGUMENT_NAME.fullmatch(name) else "an unknown argument"


def _rule(problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        return "there is no such argument"
    return str(problem["msg"]).removeprefix("Value error, ")
