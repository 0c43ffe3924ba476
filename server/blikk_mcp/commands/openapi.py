"""Compare Blikk's live OpenAPI document with what this version sends. A difference is reported and fails nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ALWAYS_SENT = {"amount", "currency", "creditor"}
ALWAYS_SENT_OF_CREDITOR = {"ssn", "name"}
ACCOUNTS = {"iban", "bban"}


def compare_schema(document: Mapping[str, Any], chosen: set[str]) -> list[str]:
    """Where the live OpenAPI document of `POST /payment` differs from what is sent; `chosen`: fields sent by settings."""
    try:
        operation = next(
            item["post"] for path, item in document["paths"].items() if path.rstrip("/").endswith("/payment")
        )
        body = _resolve(document, operation["requestBody"]["content"]["application/json"]["schema"])
    except (KeyError, StopIteration, TypeError, AttributeError):
        return ["no JSON body of POST /payment is described there; it cannot be compared"]
    creditor = _resolve(document, _properties(document, body).get("creditor", {}))
    return [
        *_differences(document, body, ALWAYS_SENT | chosen, set()),
        *(f"creditor.{found}" for found in _differences(document, creditor, ALWAYS_SENT_OF_CREDITOR, ACCOUNTS)),
    ]


def _differences(document: Mapping[str, Any], schema: Mapping[str, Any], sent: set[str], maybe: set[str]) -> list[str]:
    known = set(_properties(document, schema))
    required = set(schema.get("required", ()))
    found = [f"{name} is sent but not described" for name in sorted((sent | maybe) - known)]
    found += [f"{name[:40]} is required but not sent" for name in sorted(required - sent - maybe)]
    return found


def _properties(document: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = dict(schema.get("properties", {}))
    for keyword in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(keyword, ()):
            properties |= _properties(document, _resolve(document, part))
    return properties


def _resolve(document: Mapping[str, Any], schema: Any) -> Any:
    for _ in range(8):
        if not isinstance(schema, dict) or "$ref" not in schema:
            break
        target: Any = document
        for step in str(schema["$ref"]).removeprefix("#/").split("/"):  # pyright: ignore[reportUnknownArgumentType]
            target = target[step]
        schema = target
    return schema if isinstance(schema, dict) else {}  # pyright: ignore[reportUnknownVariableType]
