"""The answer of `list_payments`: rows of the ledger, and the room that the limits leave."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from pydantic import BaseModel, ConfigDict

from blikk_payments.models import PaymentRecord
from blikk_tools.next_steps import LISTED
from blikk_tools.outcomes import Outcome, outcome_of
from blikk_tools.result import Result, properties_of


class ListedPayment(BaseModel):
    """One payment of the list, as the ledger has it. `created_at` is UTC in ISO 8601; no field is null."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    payment_id: str
    idempotency_key: str
    outcome: Outcome
    status: str
    amount: int
    creditor_name: str
    creditor_account: str
    purpose: str
    created_at: str

    @classmethod
    def of_record(cls, record: PaymentRecord) -> ListedPayment:
        """Take it from the ledger's record."""
        return cls(
            payment_id=record.payment_id,
            idempotency_key=record.idempotency_key,
            outcome=outcome_of(record),
            status=record.status or "",
            amount=record.amount_isk,
            creditor_name=record.creditor_name,
            creditor_account=record.masked_account,
            purpose=record.purpose,
            created_at=record.claimed_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        )


class PaymentList(BaseModel):
    """A list that could be read. The last four fields are those that every result has, this one and an error's too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    payments: list[ListedPayment]
    more: bool
    most_per_payment: int
    left_today: int
    environment: str = ""
    next_step: str = LISTED
    error_code: str = ""
    error_message: str = ""


def list_schema() -> dict[str, Any]:
    """Make the one JSON Schema that a list and an error both satisfy.

    An error is the one flat result of every tool; what the two have in common is required.
    """
    item = properties_of(ListedPayment)
    rows = {"type": "array", "items": {"type": "object", "properties": item, "required": list(item)}}
    of_list = properties_of(PaymentList, leave_out=("payments",))
    return {
        "type": "object",
        "properties": {"payments": rows, **of_list, **properties_of(Result)},
        "required": [name for name in of_list if name in Result.model_fields],
        "additionalProperties": False,
    }
