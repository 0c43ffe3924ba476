"""The ledger's table on a terminal of eighty columns."""

from __future__ import annotations

import re
from typing import Any

import pytest

from blikk_mcp.commands.ledger_view import print_table, what_to_do
from blikk_mcp.commands.terminal import Terminal
from blikk_payments.channel.wire import Status
from blikk_payments.models import ClaimState, other_amount
from tests.payments.doubles import KEY, a_record


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
