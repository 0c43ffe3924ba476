"""Payments of the ledger as an operator reads them: a table, one payment with its history, JSON, CSV."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from blikk_mcp.commands.terminal import Terminal
from blikk_payments.identifiers import format_amount, format_isk
from blikk_payments.ledger.protocol import HistoryEntry
from blikk_payments.models import ClaimState, PaymentRecord, blikks_amount
from blikk_tools.result import outcome_of

NAME_WIDTH = 28
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

WHAT_TO_DO = {
    "unknown": "look in Blikk's merchant portal, then `blikk-mcp ledger resolve KEY`",
    "sending": "being sent right now",
    "SCA_REQUIRED": "a person has to approve it at their bank",
    "USER_ONBOARDING_REQUIRED": "a person has to register at their bank first",
}

COLUMNS: dict[str, Callable[[PaymentRecord], str]] = {
    "key": lambda record: record.idempotency_key,
    "outcome": lambda record: str(outcome_of(record)),
    "Blikk says": lambda record: str(record.status or ""),
    "amount": lambda record: format_isk(record.amount_isk),
    "payee": lambda record: _shortened(record.creditor_name),
    "created (UTC)": lambda record: f"{record.claimed_at:%Y-%m-%d %H:%M}",
    "account": lambda record: record.masked_account,
    "payment_id": lambda record: record.payment_id,
    "what to do": lambda record: what_to_do(record),
}
"""What the table shows, the outcome in the word that the agent was given."""

NARROW_COLUMNS = tuple(COLUMNS)[:6]
WIDE_TERMINAL = 160
"""Columns from which a terminal has room for all of the table."""


def what_to_do(record: PaymentRecord) -> str:
    """What somebody has to do about this payment; `""` if nothing."""
    if (said := blikks_amount(record.warnings)) and record.state is ClaimState.CREATED:
        return f"Blikk says {format_amount(*said)}, not what was asked for: look in Blikk's merchant portal"
    return WHAT_TO_DO.get(str(record.status or record.state), "").replace("KEY", record.idempotency_key)


EXPORTED: dict[str, Callable[[PaymentRecord], str | int]] = {
    "idempotency_key": lambda record: record.idempotency_key,
    "outcome": lambda record: str(outcome_of(record)),
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
    """One JSON object on one line, in ASCII where the output is not UTF-8: no letter may be lost."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return json.dumps(fields, ensure_ascii=not utf8)


def csv_lines(records: Iterable[PaymentRecord]) -> Iterator[str]:
    """A header and a line a payment. A field that a spreadsheet would run as a formula is quoted with an apostrophe."""
    yield _csv_line(list(EXPORTED))
    for record in records:
        yield _csv_line([_harmless(str(value)) for value in record_fields(record).values()])


def print_table(terminal: Terminal, records: list[PaymentRecord]) -> None:
    """The payments as a table; on a narrow terminal what there is to do stands below it."""
    wide = terminal.columns >= WIDE_TERMINAL
    heads = list(COLUMNS) if wide else NARROW_COLUMNS
    rows = ([COLUMNS[head](record) for head in heads] for record in records)
    terminal.table(heads, rows, right=("amount",), whole=("outcome", "Blikk says", "amount"))
    if not wide:
        for record in records:
            if todo := what_to_do(record):
                terminal.marked("!", f"{record.idempotency_key}: {todo}", "bold yellow")


def as_json(record: PaymentRecord, history: list[HistoryEntry]) -> str:
    """One payment with every transition, as JSON."""
    entries = [{"at": entry.at.isoformat(), "event": entry.event, "detail": dict(entry.detail)} for entry in history]
    return json_line({**record_fields(record), "history": entries})


def print_payment(terminal: Terminal, record: PaymentRecord, history: list[HistoryEntry]) -> None:
    """One payment with every transition."""
    fields = {**record_fields(record), "what to do": what_to_do(record)}
    terminal.table(("field", "value"), ([name, str(value)] for name, value in fields.items() if value != ""))
    terminal.line()
    rows = (
        [
            f"{entry.at:%Y-%m-%d %H:%M:%S}",
            entry.event,
            ", ".join(f"{name}={value}" for name, value in entry.detail.items() if not name.endswith("digest")),
        ]
        for entry in history
    )
    terminal.table(("history (UTC)", "event", "detail"), rows)


def _shortened(name: str) -> str:
    return name if len(name) <= NAME_WIDTH else name[: NAME_WIDTH - 1] + "…"


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _csv_line(values: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(values)  # a field with one of these is quoted
    return line.getvalue().removesuffix("\r\n")
