"""`list_payments`: what an agent that lost its key finds, newest first, without asking Blikk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blikk_payments.channel.errors import Refused, Uncertain
from blikk_payments.channel.wire import Status
from tests.expecting import assert_fields
from tests.payments.factories import KENNITALA, KEY, LINK, OTHER_BBAN, OTHER_KEY, answer, iban_of
from tests.tools.calls import arguments, desk

pytestmark = pytest.mark.anyio

PAYMENTS: list[tuple[str, Any]] = [
    ("failed", answer(Status.REJECTED)),
    ("refused", Refused("no", status=422)),
    ("paid", answer(Status.SUCCESS)),
    ("unknown", Uncertain("lost")),
    ("needs_human", answer(Status.SCA_REQUIRED, LINK)),
]


def one_of_many(number: int) -> dict[str, Any]:
    """Arguments of a payment that is no duplicate of another one."""
    account = f"{int(OTHER_BBAN) + number:012}"
    return arguments(creditor_iban=iban_of(account), idempotency_key=f"order-{number:04}", amount=1_000 + number)


async def test_it_lists_what_the_ledger_knows_newest_first_without_asking_blikk(tmp_path: Path) -> None:
    """An agent in a new conversation finds what was paid, what is open, and how much room is left today."""
    async with desk(tmp_path, *(said for _, said in PAYMENTS)) as at:
        for number in range(len(PAYMENTS)):
            await at.call("create_payment", one_of_many(number))
        asked = len(at.house.channel.read_ids)
        listed = await at.list()
        assert len(at.house.channel.read_ids) == asked
        assert [payment.outcome for payment in listed.payments] == [outcome for outcome, _ in reversed(PAYMENTS)]
        assert [payment.idempotency_key for payment in listed.payments] == [f"order-{n:04}" for n in (4, 3, 2, 1, 0)]
        # Failed and refused ones give their room back; what is open, paid or unknown takes it.
        left = 500_000 - (1_002 + 1_003 + 1_004)
        assert_fields(listed, more=False, most_per_payment=100_000, left_today=left)
        assert (listed.environment, listed.error_code) == ("production", "")


async def test_a_row_is_exact_and_holds_no_kennitala_and_no_whole_account(tmp_path: Path) -> None:
    """The fields of a listed payment."""
    async with desk(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as at:
        await at.call("create_payment", arguments(purpose="Kaffi"))
        (row,) = (await at.list()).model_dump(mode="json")["payments"]
    assert row == {
        "payment_id": "pay-1",
        "idempotency_key": KEY,
        "outcome": "needs_human",
        "status": "SCA_REQUIRED",
        "amount": 1_000,
        "creditor_name": "Kaffihúsið ehf.",
        "creditor_account": "0159-26-•••654",
        "purpose": "Kaffi",
        "created_at": "2026-03-02T12:00:00Z",
    }
    assert KENNITALA not in str(row)


@pytest.mark.parametrize(
    ("only", "outcomes"),
    [
        ("all", ["needs_human", "unknown", "paid", "refused", "failed"]),
        ("open", ["needs_human"]),
        ("unknown", ["unknown"]),
        ("paid", ["paid"]),
        ("failed", ["refused", "failed"]),
    ],
)
async def test_only_one_kind_can_be_asked_for(tmp_path: Path, only: str, outcomes: list[str]) -> None:
    """`only`: all, open, unknown, paid or failed."""
    async with desk(tmp_path, *(said for _, said in PAYMENTS)) as at:
        for number in range(len(PAYMENTS)):
            await at.call("create_payment", one_of_many(number))
        assert [payment.outcome for payment in (await at.list(only=only)).payments] == outcomes


@pytest.mark.parametrize(("limit", "count"), [({}, 10), ({"limit": 1}, 1), ({"limit": 11}, 11), ({"limit": 50}, 12)])
async def test_a_list_is_cut_at_its_limit_and_says_whether_there_is_more(
    tmp_path: Path, limit: dict[str, int], count: int
) -> None:
    """`limit`: 1 to 50, default 10; `more`."""
    async with desk(tmp_path, creates_per_minute=100) as at:
        for number in range(12):
            await at.call("create_payment", one_of_many(number))
        listed = await at.list(**limit)
        assert (len(listed.payments), listed.more) == (count, count < 12)


@pytest.mark.parametrize(
    "raw",
    [{"limit": 0}, {"limit": 51}, {"limit": "5"}, {"limit": True}, {"only": "pending"}, {"since": "today"}],
    ids=str,
)
async def test_a_list_with_a_bad_argument_is_refused(tmp_path: Path, raw: dict[str, Any]) -> None:
    """An error is the flat result of every tool, and satisfies this tool's schema too."""
    async with desk(tmp_path) as at:
        result = await at.call("list_payments", raw)
        assert (result.error_code, at.untouched) == ("invalid_arguments", True)


async def test_a_ledger_that_cannot_be_read_says_nothing_of_any_payment(tmp_path: Path) -> None:
    """An empty list would read like "nothing was paid"."""
    async with desk(tmp_path, answer(Status.SUCCESS)) as at:
        await at.call("create_payment", arguments())
        at.house.ledger.broken = {"recent"}
        result = await at.call("list_payments", {})
        assert (result.outcome, result.error_code) == ("unknown", "ledger_unavailable")
        assert "nothing of any payment" in result.next_step


@pytest.mark.parametrize("tool", ["get_payment_status", "await_payment"])
async def test_an_idempotency_key_given_as_an_id_is_found_as_such(tmp_path: Path, tool: str) -> None:
    """Models mix the two up."""
    async with desk(tmp_path, answer(Status.PENDING), Uncertain("lost")) as at:
        await at.call("create_payment", one_of_many(1))
        await at.call("create_payment", arguments(idempotency_key=OTHER_KEY))
        found = await at.call(tool, {"payment_id": "order-0001"})
        assert_fields(found, payment_id="pay-1", outcome="pending", idempotency_key="order-0001")
        lost = await at.call(tool, {"payment_id": OTHER_KEY})
        assert_fields(lost, outcome="unknown", error_code="outcome_unknown", idempotency_key=OTHER_KEY)
        stranger = await at.call(tool, {"payment_id": "order-7777"})
        assert (stranger.error_code, stranger.payment_id) == ("not_found", "order-7777")
        assert "Check the payment_id, or look it up by idempotency_key" in stranger.next_step
        assert "Nothing was sent" not in stranger.next_step
