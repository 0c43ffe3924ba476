"""The stand-in's description of itself, as OpenAPI 3.1: exactly what it does while no fault is asked for.

Blikk's own document is not the model for this one; the facts are from Blikk's page
(https://docs.blikk.tech/docs/paymentchannel), a sister API of Blikk's and a public integrator's code.
"""

from __future__ import annotations

from typing import Any, Final

from blikk_sandbox.bodies import IBAN_PATTERN, MAX_AMOUNT, MAX_NAME_LENGTH
from blikk_sandbox.problems import PROBLEM_TYPE, title_of

VERSION: Final = "1"
Schema = dict[str, Any]

_DESCRIPTION: Final = (
    "A sandbox that stands in for Blikk's Payment Channel API. No real money moves. Every key is a payment "
    "channel of its own. Payments go DRAFT, PENDING, SCA_REQUIRED by themselves and then wait for a person "
    "on the page at `redirectUrl`. The amounts 121, 131, 141 and 151 end at once in ERROR, CANCELLED, REJECTED "
    "and SUCCESS. Faults asked for through the control API can break anything that is promised here."
)
_MEANINGS: Final = {
    400: "Validation error, missing required field, or invalid payment-channel account configuration.",
    401: "Missing or invalid Api-Key.",
    403: "The payment exists but belongs to a different payment channel.",
    404: "The payment is not a PaymentChannel payment.",
    413: "The body is larger than 65,536 bytes.",
    415: "The body is not application/json.",
    500: "Unexpected server-side failure.",
}


def openapi(*, configured_account: bool) -> dict[str, Any]:
    """The document. With a configured account `debtorBban` must not be sent; without one it has to be."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Payment Channel sandbox", "version": VERSION, "description": _DESCRIPTION},
        "x-sandbox": True,
        "servers": [{"url": "/paymentchannel"}],
        "security": [{"ApiKey": []}],
        "paths": {
            "/payment": {"post": _create_operation()},
            "/payment/{paymentId}": {"get": _read_operation()},
            "/openapi.json": {"get": _own_operation("getOpenApi", "This document", "application/json", "object")},
            "/docs": {"get": _own_operation("getDocs", "This document for people", "text/html", "string")},
        },
        "components": {
            "securitySchemes": {"ApiKey": {"type": "apiKey", "in": "header", "name": "Api-Key"}},
            "schemas": {
                "CreatePayment": _create_schema(configured_account=configured_account),
                "Creditor": _creditor_schema(),
                "Payment": _payment_schema(),
                "Problem": _problem_schema(),
            },
        },
    }


def _create_operation() -> Schema:
    return {
        "operationId": "createPayment",
        "summary": "Create a payment",
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref("CreatePayment")}}},
        "responses": {
            "201": _response("The payment was created.", "application/json", _ref("Payment")),
            **_problems(400, 401, 413, 415, 500),
        },
    }


def _read_operation() -> Schema:
    return {
        "operationId": "getPayment",
        "summary": "Read a payment",
        "parameters": [{"name": "paymentId", "in": "path", "required": True, "schema": {"type": "string"}}],
        "responses": {
            "200": _response("The payment as it stands now.", "application/json", _ref("Payment")),
            **_problems(401, 403, 404, 500),
        },
    }


def _own_operation(name: str, summary: str, media_type: str, kind: str) -> Schema:
    answers = {"200": _response(f"{summary}.", media_type, {"type": kind}), **_problems(401, 500)}
    return {"operationId": name, "summary": summary, "responses": answers}


def _create_schema(*, configured_account: bool) -> Schema:
    properties: Schema = {
        "amount": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_AMOUNT,
            "description": "Whole krónur: 1000 is 1.000 kr.",
        },
        "currency": {"type": "string", "enum": ["ISK"]},
        "scaUserSsn": _digits(10, "Kennitala of the person who will approve."),
        "creditor": _ref("Creditor"),
    }
    required = ["amount", "currency", "creditor"]
    if not configured_account:
        properties["debtorBban"] = _digits(12, "The account to pay from: the channel has none configured.")
        required.append("debtorBban")
    return _object(properties, required)


def _creditor_schema() -> Schema:
    iban: Schema = {
        "type": "string",
        "format": "iban",
        "pattern": IBAN_PATTERN,
        "minLength": 15,
        "maxLength": 34,
        "description": "Upper case, no spaces; an Icelandic one has 26 characters. The check digits (mod 97) "
        "have to be right too, which no schema can say.",
        "examples": ["IS140159260076545510730339"],
    }
    properties: Schema = {
        "ssn": _digits(10, "Kennitala of the payee."),
        "name": {"type": "string", "minLength": 1, "maxLength": MAX_NAME_LENGTH},
        "iban": iban,
        "bban": _digits(12, "Bank, ledger and account number."),
    }
    either = [{"required": ["iban"]}, {"required": ["bban"]}]
    return {**_object(properties, ["ssn", "name"]), "oneOf": either}


def _payment_schema() -> Schema:
    properties: Schema = {
        "id": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
        "status": {
            "type": "string",
            "description": "DRAFT, PENDING, SCA_REQUIRED, USER_ONBOARDING_REQUIRED or SCA_COMPLETE on the "
            "way; SUCCESS, CANCELLED, REJECTED or ERROR at the end. Others may come.",
        },
        "redirectUrl": {
            "type": ["string", "null"],
            "description": "Where the person approves. May be absent, null or empty.",
        },
        "amount": {"type": "integer"},
        "currency": {"type": "string"},
        "endToEndIdentification": {"type": "string"},
        "message": {"type": "string"},
    }
    return _object(properties, ["id", "status", "amount", "currency", "endToEndIdentification"])


def _problem_schema() -> Schema:
    violation = _object({"message": {"type": "string"}, "location": {"type": "string"}, "value": {}}, ["message"])
    properties: Schema = {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": violation},
    }
    return _object(properties, ["type", "title", "status", "detail"])


def _problems(*statuses: int) -> Schema:
    return {
        str(status): _response(f"{title_of(status)}. {_MEANINGS[status]}", PROBLEM_TYPE, _ref("Problem"))
        for status in statuses
    }


def _response(description: str, media_type: str, schema: Schema) -> Schema:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _object(properties: Schema, required: list[str]) -> Schema:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _digits(count: int, description: str) -> Schema:
    # The lengths say again what the pattern says: to some readers `$` also matches before a last line break.
    pattern = f"^[0-9]{{{count}}}$"
    return {
        "type": "string",
        "pattern": pattern,
        "minLength": count,
        "maxLength": count,
        "description": f"{count} digits. {description}",
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
