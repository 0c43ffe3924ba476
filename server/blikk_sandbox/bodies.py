"""The body of a POST, as strictly as Blikk reads it: one unknown field and the whole request is refused.

Field names and the strictness are known from a public integrator's code and Blikk's page
(https://docs.blikk.tech/docs/paymentchannel). The largest amount and name are this stand-in's own.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from blikk_sandbox.problems import Problem, Violation

MAX_AMOUNT: Final = 2**53 - 1
MAX_NAME_LENGTH: Final = 70
IBAN_PATTERN: Final = "^(IS[0-9]{24}|(?!IS)[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30})$"
_IBAN = re.compile(IBAN_PATTERN)

Check = Callable[[Any, str], list[Violation]]


@dataclass(frozen=True, slots=True)
class Order:
    """A payment that was asked for. `amount` is whole krónur; exactly one of `iban` and `bban` is set."""

    amount: int
    currency: str
    creditor_ssn: str
    creditor_name: str
    iban: str | None
    bban: str | None
    sca_user_ssn: str | None
    debtor_bban: str | None


def parse_json(raw: bytes) -> Any:
    """The value that `raw` holds. Raises `Problem` 400 for what is not JSON in UTF-8."""
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        raise Problem(400, "The body is not JSON.", [Violation("expected JSON in UTF-8", "body")]) from None


def read_order(body: Any, *, configured_account: bool) -> Order:
    """The order in `body`. Raises `Problem` 400 that names everything that is wrong with it."""
    checks: dict[str, Check] = {
        "amount": _amount,
        "currency": _currency,
        "scaUserSsn": _digits(10),
        "creditor": _creditor,
    }
    required = ["amount", "currency", "creditor"]
    if not configured_account:
        checks["debtorBban"] = _digits(12)
        required.append("debtorBban")
    if violations := _object(body, "body", checks, required):
        raise Problem(400, "validation failed", violations)
    creditor = body["creditor"]
    return Order(
        amount=int(body["amount"]),
        currency=body["currency"],
        creditor_ssn=creditor["ssn"],
        creditor_name=creditor["name"],
        iban=creditor.get("iban"),
        bban=creditor.get("bban"),
        sca_user_ssn=body.get("scaUserSsn"),
        debtor_bban=body.get("debtorBban"),
    )


def mod_97(iban: str) -> int:
    """The check sum of ISO 13616: 1 for an IBAN that is right."""
    return int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number beyond all bounds")
    return number


def _object(value: Any, at: str, checks: Mapping[str, Check], required: list[str]) -> list[Violation]:
    if not isinstance(value, dict):
        return [Violation("expected an object", at, value)]
    fields = cast("dict[str, Any]", value)
    found = [Violation("expected required property to be present", f"{at}.{n}") for n in required if n not in fields]
    for name, content in fields.items():
        if name in checks:
            found += checks[name](content, f"{at}.{name}")
        else:
            found.append(Violation(_unexpected(name), f"{at}.{name}", content))
    return found


def _unexpected(name: str) -> str:
    return "must not be sent: the channel has an account of its own" if name == "debtorBban" else "unexpected property"


def _amount(value: Any, at: str) -> list[Violation]:
    # bool is an int in Python. 5.0 is a whole number to JSON Schema, and so it is here.
    if isinstance(value, bool) or not (isinstance(value, int) or (isinstance(value, float) and value.is_integer())):
        return [Violation("expected a whole number of krónur", at, value)]
    if not 1 <= value <= MAX_AMOUNT:
        return [Violation(f"expected a number from 1 to {MAX_AMOUNT}", at, value)]
    return []


def _currency(value: Any, at: str) -> list[Violation]:
    return [] if value == "ISK" else [Violation('expected "ISK"', at, value)]


def _name(value: Any, at: str) -> list[Violation]:
    if isinstance(value, str) and 1 <= len(value) <= MAX_NAME_LENGTH:
        return []
    return [Violation(f"expected 1 to {MAX_NAME_LENGTH} characters", at, value)]


def _digits(count: int) -> Check:
    pattern = re.compile(f"[0-9]{{{count}}}")

    def check(value: Any, at: str) -> list[Violation]:
        if isinstance(value, str) and pattern.fullmatch(value):
            return []
        return [Violation(f"expected {count} digits", at, value)]

    return check


def _iban(value: Any, at: str) -> list[Violation]:
    if not isinstance(value, str) or not _IBAN.fullmatch(value):
        return [Violation("expected an IBAN in upper case without spaces", at, value)]
    return [] if mod_97(value) == 1 else [Violation("expected an IBAN with right check digits", at, value)]


def _creditor(value: Any, at: str) -> list[Violation]:
    checks: dict[str, Check] = {"ssn": _digits(10), "name": _name, "iban": _iban, "bban": _digits(12)}
    found = _object(value, at, checks, ["ssn", "name"])
    if isinstance(value, dict) and ("iban" in value) == ("bban" in value):
        found.append(Violation("expected exactly one of iban and bban", at, value))
    return found
