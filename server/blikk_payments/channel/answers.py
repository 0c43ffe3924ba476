"""Blikk's answers, read with bounds: understood as a whole, or `Unreadable`. Nothing is guessed.

Field names and statuses: https://docs.blikk.tech/docs/paymentchannel. Problem details (RFC 9457) are what
Blikk documents for its Ecom API; here they are recognised by their shape, whatever the content type says.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from blikk_payments.channel.links import MAX_LINK_LENGTH
from blikk_payments.channel.strict_json import MAX_ANSWER_BYTES, Unreadable, parse_json, parse_object
from blikk_payments.channel.text import TEXT_LIMIT, clean_text
from blikk_payments.channel.wire import ChannelPayment, Status

MAX_PROBLEMS = 5
"""Most entries of `errors[]` that are passed on."""

PAYMENT_ID_PATTERN = r"^(?!\.{1,2}$)[A-Za-z0-9._~:-]{1,128}$"
"""Ids are opaque to Blikk's callers; these characters cannot change a path, a log line or a sentence."""

_PAYMENT_ID = re.compile(PAYMENT_ID_PATTERN)
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_DECIMALS = 4
_MOST = Decimal(10**15)
"""A larger amount is taken as this one: it is another one than was asked for all the same."""
_UNSTORABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

Redact = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer as it came. `body` is None if it was too large, packed in a way we do not unpack, or cut off."""

    status: int
    content_type: str = ""
    retry_after: str = ""
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """No answer. `maybe_sent` is false only if it is certain that the request never left."""

    maybe_sent: bool


def is_payment_id(text: str) -> bool:
    """Whether the text can be the id of a payment: 1 to 128 of `A-Za-z0-9._~:-`, and neither `.` nor `..`."""
    return _PAYMENT_ID.fullmatch(text) is not None


def parse_payment(body: bytes | None, redact: Redact, holds_key: Callable[[str], bool]) -> ChannelPayment:
    """The payment in a 2xx answer. Only the id has to be there; other fields may be missing or mistyped.

    Raises:
        Unreadable: not strict JSON, or no usable id.
    """
    fields = parse_object(body)
    payment_id = fields.get("id")
    # An id that holds the key would spread it through ledger, logs and the agent's context.
    if not isinstance(payment_id, str) or not is_payment_id(payment_id) or holds_key(payment_id):
        raise Unreadable("it had no usable id")
    currency = fields.get("currency")
    return ChannelPayment(
        payment_id=payment_id,
        status=Status(fields.get("status")),
        redirect_url=_storable(_text(fields, "redirectUrl", redact)),
        bank_text=_clean(_text(fields, "message", redact), redact),
        amount_isk=_amount(fields.get("amount")),
        currency=currency.upper() if isinstance(currency, str) and _CURRENCY.fullmatch(currency) else "",
    )


def problem_text(answer: RawAnswer, redact: Redact) -> str:
    """What an error answer says, cleaned; `""` if it says nothing readable. Never raises.

    `errors[].value` repeats the request, kennitalas and accounts included, and is not used.
    """
    try:
        document = parse_json(answer.body)
    except Unreadable:
        if answer.body is None or not answer.content_type.lower().startswith("text/plain"):
            return ""
        return _clean(redact(answer.body[:MAX_ANSWER_BYTES].decode(errors="replace")), redact)
    if not isinstance(document, dict):
        return ""
    fields = cast("dict[str, Any]", document)
    parts = [_text(fields, name, redact) for name in ("title", "detail")]
    errors = fields.get("errors")
    if isinstance(errors, list):
        parts += [_problem(entry, redact) for entry in cast("list[object]", errors)[:MAX_PROBLEMS]]
    return _clean("; ".join(part for part in parts if part.strip()), redact)


def _clean(text: str, redact: Redact) -> str:
    """Redacted text, cleaned; and redacted again, as cleaning can put together a key that came in pieces.

    (In fullwidth letters, say, or with invisible characters in between.)
    """
    return redact(clean_text(text))[:TEXT_LIMIT]


def _text(fields: dict[str, Any], name: str, redact: Redact) -> str:
    value = fields.get(name)
    return redact(value) if isinstance(value, str) else ""


def _amount(value: object) -> int | Decimal | None:
    """The amount that an answer names, as a number or as text; None if it names none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return None
    amount = round(min(_MOST, max(-_MOST, Decimal(str(value)))), _DECIMALS)
    return int(amount) if amount == int(amount) else amount


def _problem(entry: object, redact: Redact) -> str:
    if not isinstance(entry, dict):
        return ""
    fields = cast("dict[str, Any]", entry)
    # With dots, "body.creditor.iban" would be taken for a web address and removed.
    location = _text(fields, "location", redact).replace(".", "/")
    return ": ".join(part for part in (location, _text(fields, "message", redact)) if part.strip())


def _storable(url: str) -> str:
    """The link, fit for any database without becoming valid: U+FFFD and excess length fail the grammar.

    What cannot be a link at all is cleaned like any other text: it may hold a person's numbers.
    """
    stored = _UNSTORABLE.sub("\ufffd", url[: MAX_LINK_LENGTH + 1])
    return stored if "://" in stored and " " not in stored else clean_text(stored)
