"""Payments of the ledger as an operator reads them: a table, one payment with its history, JSON, CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from blikk_payments.identifiers import format_isk
from blikk_payments.ledger.protocol import HistoryEntry
from blikk_payments.models import ClaimState, PaymentRecord

COLUMNS = ("key", "outcome", "amount", "payee", "account", "created (UTC)", "payment_id", "what to do")
NAME_WIDTH = 28
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

WHAT_TO_DO = {
    "unknown": "look in Blikk's merchant portal, then `blikk-mcp ledger resolve KEY`",
    "sending": "being sent right now",
    "SCA_REQUIRED": "a person has to approve it at their bank",
    "USER_ONBOARDING_REQUIRED": "a person has to register at their bank first",
}


def open_first(record: PaymentRecord) -> tuple[int, float]:
    """Sorts the unknown first, then the open ones, then those that have ended; the newest first in each."""
    rank = 0 if record.state is ClaimState.UNKNOWN else 2 if record.final or record.failed else 1
    return rank, -record.claimed_at.timestamp()


def outcome(record: PaymentRecord) -> str:
    """In one word: Blikk's status where there is one, else the claim's state."""
    return str(record.status) if record.status else str(record.state)


def what_to_do(record: PaymentRecord) -> str:
    """What somebody has to do about this payment; `""` if nothing."""
    return WHAT_TO_DO.get(outcome(record), "").replace("KEY", record.idempotency_key)


EXPORTED: dict[str, Callable[[PaymentRecord], str | int]] = {
    "idempotency_key": lambda record: record.idempotency_key,
    "state": lambda record: str(record.state),
    "status": lambda record: str(record.status or ""),
    "amount": lambda record: record.amount_isk,
    "currency": lambda record: "ISK",
    "creditor_name": lambda record: record.creditor_name,
    "creditor_account": lambda record: record.masked_account,
    "purpose": lambda record: record.purpose,
    "payment_id": lambda record: record.payment_id,
    "refusal": lambda record: record.refusal_code,
    "attempt": lambda record: record.attempt,
    "claimed_at": lambda record: record.claimed_at.isoformat(),
    "updated_at": lambda record: record.updated_at.isoformat(),
    "warnings": lambda record: " ".join(record.warnings),
}
"""What is told of a payment, by its name there. No kennitala and no full account: the ledger has neither."""


def record_fields(record: PaymentRecord) -> dict[str, Any]:
    """A payment as JSON and CSV tell it."""
    return {name: field(record) for name, field in EXPORTED.items()}


def json_line(fields: dict[str, Any]) -> str:
    """One JSON object on one line."""
    return json.dumps(fields, ensure_ascii=False)


def csv_lines(records: Iterable[PaymentRecord]) -> Iterator[str]:
    """A header and a line a payment. A field that a spreadsheet would run as a formula is quoted with an apostrophe."""
    yield _csv_line(list(EXPORTED))
    for record in records:
        yield _csv_line([_harmless(str(value)) for value in record_fields(record).values()])


def table(records: list[PaymentRecord]) -> str:
    """A table for a terminal."""
    if not records:
        return "No payments."
    rows = [COLUMNS, *(_row(record) for record in records)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def show(record: PaymentRecord, history: list[HistoryEntry], *, as_json: bool) -> str:
    """One payment with every transition."""
    if as_json:
        entries = [
            {"at": entry.at.isoformat(), "event": entry.event, "detail": dict(entry.detail)} for entry in history
        ]
        return json_line({**record_fields(record), "history": entries})
    lines = [f"{name:18}{value}" for name, value in record_fields(record).items() if value != ""]
    todo = what_to_do(record)
    lines += [f"{'what to do':18}{todo}"] if todo else []
    lines += ["", "history"]
    for entry in history:
        detail = ", ".join(f"{name}={value}" for name, value in entry.detail.items() if not name.endswith("digest"))
        lines.append(f"  {entry.at:%Y-%m-%d %H:%M:%S}  {entry.event:20}  {detail}".rstrip())
    return "\n".join(lines)


def _row(record: PaymentRecord) -> tuple[str, ...]:
    name = record.creditor_name
    return (
        record.idempotency_key,
        outcome(record),
        format_isk(record.amount_isk),
        name if len(name) <= NAME_WIDTH else name[: NAME_WIDTH - 1] + "…",
        record.masked_account,
        f"{record.claimed_at:%Y-%m-%d %H:%M}",
        record.payment_id,
        what_to_do(record),
    )


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _csv_line(values: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()
