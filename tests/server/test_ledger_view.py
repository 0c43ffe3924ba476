"""The ledger's table on a terminal of eighty columns."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from typing import Any

import pytest

from blikk_mcp.commands.ledger_view import (
    as_json,
    csv_lines,
    json_line,
    print_payment,
    print_table,
    record_fields,
    what_to_do,
)
from blikk_mcp.commands.terminal import Terminal
from blikk_payments.channel.wire import Status
from blikk_payments.ledger.protocol import HistoryEntry
from blikk_payments.models import ClaimState, other_amount
from tests.expecting import assert_fields
from tests.payments.factories import KEY, NOON, a_record


@pytest.mark.parametrize("status", [Status.SCA_REQUIRED, Status.USER_ONBOARDING_REQUIRED])
def test_what_is_read_at_a_glance_is_not_broken_on_a_terminal_of_eighty_columns(
    status: Status, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Seen: "needs_huma" on one line and "n" on the next, because a long key took the room."""
    for name, value in {"TTY_COMPATIBLE": "1", "NO_COLOR": "1", "COLUMNS": "80", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    record = a_record(
        status,
        idempotency_key="invoice-2026-11-kitchen-supplies-and-more-0001",
        creditor_name="Húsfélagið Langahlíð við Mývatn",
        amount_isk=100_000,
    )
    print_table(Terminal(lambda text: text), [record])
    shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert "needs_human" in shown
    assert "100,000 ISK" in shown
    assert str(status)[:12] in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_another_amount_is_told_of_a_payment_that_is_there_and_an_unknown_one_is_to_be_resolved() -> None:
    """Nobody can look at the amount of a payment of which nobody knows whether it was made."""
    warned = (other_amount(2_000, "ISK"),)
    assert "2,000 ISK, not what was asked for" in what_to_do(a_record(Status.SUCCESS, warnings=warned))
    unknown = a_record(state=ClaimState.UNKNOWN, warnings=warned)
    assert f"`blikk-mcp ledger resolve {KEY}`" in what_to_do(unknown)


RECORDS = [
    a_record(Status.SUCCESS, purpose="Coffee, and more", updated_at=NOON + timedelta(minutes=61)),
    a_record(state=ClaimState.UNKNOWN, idempotency_key="lost-0001", creditor_name="Þ" * 29, attempt=2),
    a_record(state=ClaimState.REFUSED, idempotency_key="refused-1", refusal_code="over_limit", amount_isk=1_234_567),
    a_record(Status.USER_ONBOARDING_REQUIRED, idempotency_key="-odd-key", warnings=("foreign_iban", "equal_payment")),
    a_record(state=ClaimState.SENDING, idempotency_key="sending-1", creditor_name="Þ" * 28),
    a_record(Status.REJECTED, idempotency_key="rejected-1", creditor_name="", masked_account=""),
]
HISTORY = [
    HistoryEntry(1, "lost-0001", NOON, "claimed", {"attempt": "1", "request_digest": "abc"}, "h1"),
    HistoryEntry(2, "lost-0001", NOON + timedelta(seconds=1), "unknown", {"reason": "no answer", "note": "x"}, "h2"),
]


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Lines without the spaces that fill columns."""
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_a_program_gets_every_column_of_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """In whole lines, in the order they are given in, amounts to the right."""
    print_table(Terminal(str), RECORDS)
    head, *rows = printed(capsys)
    assert re.split(r"\s{2,}| (?=account|payment_id|created|what|payee|amount|Blikk)", head) == [
        "key", "outcome", "Blikk says", "amount", "payee", "created (UTC)", "account", "payment_id", "what to do",
    ]  # fmt: skip
    resolve = "look in Blikk's merchant portal, then `blikk-mcp ledger resolve lost-0001`"
    assert [re.split(r"\s+", row)[0] for row in rows] == [record.idempotency_key for record in RECORDS]
    assert [row.split()[1] for row in rows] == ["paid", "unknown", "refused", "needs_human", "pending", "failed"]
    expected = [
        ("SUCCESS", "1,000 ISK Kaffihúsið ehf.", "2026-03-02 12:00 0159-26-•••654 pay-1"),
        ("", f"1,000 ISK {'Þ' * 27}… ", resolve),
        ("", "1,234,567 ISK", "0159-26-•••654"),
        ("USER_ONBOARDING_REQUIRED", "", "a person has to register at their bank first"),
        ("", f" {'Þ' * 28} ", "being sent right now"),
        ("REJECTED", "", "2026-03-02 12:00"),
    ]
    for row, (status, middle, end) in zip(rows, expected, strict=True):
        plain = " ".join(row.split())
        assert status in row
        assert middle.strip() in plain
        assert plain.endswith(end) or end in plain
    places = {row.index(" ISK") for row in rows}
    assert len(places) == 1


def test_what_there_is_to_do_stands_below_a_narrow_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And beside each payment from 160 columns on."""
    said = "lost-0001: look in Blikk's merchant portal, then `blikk-mcp ledger resolve lost-0001`"
    for name, value in {"TTY_COMPATIBLE": "1", "NO_COLOR": "1", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    below: dict[int, bool] = {}
    for columns in (159, 160):
        monkeypatch.setenv("COLUMNS", str(columns))
        print_table(Terminal(str), RECORDS[:3])
        below[columns] = f"! {said}" in re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert below == {159: True, 160: False}


FIELDS: dict[str, str | int] = {
    "idempotency_key": KEY,
    "outcome": "paid",
    "state": "created",
    "status": "SUCCESS",
    "amount": 1000,
    "currency": "ISK",
    "creditor_name": "Kaffihúsið ehf.",
    "creditor_account": "0159-26-•••654",
    "purpose": "Coffee, and more",
    "payment_id": "pay-1",
    "refusal": "",
    "attempt": 1,
    "claimed_at": "2026-03-02T12:00:00+00:00",
    "updated_at": "2026-03-02T13:01:00+00:00",
    "warnings": "",
}


def test_an_export_has_every_field_and_no_other() -> None:
    """Programs read it: names, order and kinds are a promise."""
    assert list(record_fields(RECORDS[0]).items()) == list(FIELDS.items())
    lines = list(csv_lines(RECORDS))
    assert lines[0] == ",".join(FIELDS)
    assert lines[1] == ",".join(f'"{value}"' if "," in str(value) else str(value) for value in FIELDS.values())
    _, unknown, refused, onboarding, *_ = (record_fields(record) for record in RECORDS)
    assert_fields(unknown, attempt=2, outcome="unknown", status="")
    assert (refused["refusal"], refused["amount"]) == ("over_limit", 1_234_567)
    assert onboarding["warnings"] == "foreign_iban equal_payment"
    assert lines[4].startswith("'-odd-key,")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_whatever_a_spreadsheet_may_run_is_quoted(start: str) -> None:
    """OWASP's list; JSON is for programs that run nothing."""
    (row,) = csv.DictReader(
        io.StringIO("\n".join(csv_lines([a_record(purpose=f"{start}1+1", creditor_name="a=b")])), newline="")
    )
    assert (row["purpose"], row["creditor_name"]) == (f"'{start}1+1", "a=b")


@pytest.mark.parametrize(("encoding", "kept"), [("utf-8", True), ("UTF8", True), ("ascii", False), ("latin-1", False)])
def test_no_letter_of_a_line_of_json_is_lost(encoding: str, kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the output takes few letters, JSON writes the others in ASCII; a program reads the same."""
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    line = json_line({"name": "Þór •"})
    assert ("Þór •" in line) is kept
    assert json.loads(line) == {"name": "Þór •"}


def test_one_payment_is_shown_with_its_history(capsys: pytest.CaptureFixture[str]) -> None:
    """What is empty is left out for people; JSON has all of it, digests too."""
    print_payment(Terminal(str), RECORDS[1], HISTORY)
    shown = [" ".join(line.split()) for line in printed(capsys)]
    assert shown == [
        "field value",
        "idempotency_key lost-0001",
        "outcome unknown",
        "state unknown",
        "amount 1000",
        "currency ISK",
        f"creditor_name {'Þ' * 29}",
        "creditor_account 0159-26-•••654",
        "attempt 2",
        "claimed_at 2026-03-02T12:00:00+00:00",
        "updated_at 2026-03-02T12:00:00+00:00",
        "what to do look in Blikk's merchant portal, then `blikk-mcp ledger resolve lost-0001`",
        "",
        "history (UTC) event detail",
        "2026-03-02 12:00:00 claimed attempt=1",
        "2026-03-02 12:00:01 unknown reason=no answer, note=x",
    ]
    assert json.loads(as_json(RECORDS[1], HISTORY)) == {
        **record_fields(RECORDS[1]),
        "history": [
            {
                "at": "2026-03-02T12:00:00+00:00",
                "event": "claimed",
                "detail": {"attempt": "1", "request_digest": "abc"},
            },
            {"at": "2026-03-02T12:00:01+00:00", "event": "unknown", "detail": {"reason": "no answer", "note": "x"}},
        ],
    }


def test_whatever_is_printed_for_people_is_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    """Before it is laid out: a key in two lines could no longer be found."""
    terminal = Terminal(lambda text: text.replace("secret", "[redacted]"))
    terminal.line("a secret line")
    terminal.marked("!", "a secret mark", "")
    terminal.table(["secret"], [["a secret cell"]])
    said = capsys.readouterr().out
    assert (said.count("[redacted]"), said.count("secret")) == (3, 1)  # a head is a word of ours
