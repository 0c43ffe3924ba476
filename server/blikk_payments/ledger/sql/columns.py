"""A stored payment as a row of the `payments` table, and back."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from blikk_payments.channel.wire import Status
from blikk_payments.errors import LedgerUnavailable
from blikk_payments.ledger.history import canonical_json
from blikk_payments.ledger.protocol import DAMAGED
from blikk_payments.ledger.stored import StoredPayment, utc_text
from blikk_payments.models import ClaimState, PaymentRecord

COLUMNS = (
    "idempotency_key, state, attempt, amount_isk, account_fingerprint, ssn_fingerprint, masked_account, "
    "creditor_name, purpose, warnings, payment_id, status, approval_url, approval_url_at, refusal_code, "
    "bank_text, claimed_at, updated_at, sender, claim_token, holds"
)
NAMES = COLUMNS.split(", ")


def to_row(stored: StoredPayment) -> tuple[object, ...]:
    """The values of `COLUMNS`."""
    record = stored.record
    return (
        record.idempotency_key,
        record.state.value,
        record.attempt,
        record.amount_isk,
        stored.account_fingerprint,
        stored.ssn_fingerprint,
        record.masked_account,
        record.creditor_name,
        record.purpose,
        canonical_json(list(record.warnings)),
        record.payment_id,
        record.status.value if record.status else "",
        record.approval_url,
        utc_text(record.approval_url_at) if record.approval_url_at else "",
        record.refusal_code,
        record.bank_text,
        utc_text(record.claimed_at),
        utc_text(record.updated_at),
        stored.sender,
        stored.claim_token,
        int(not record.failed),
    )


def from_row(row: tuple[Any, ...]) -> StoredPayment:
    """The payment of a row of `COLUMNS`.

    Raises:
        LedgerUnavailable: it holds what this program never writes.
    """
    (key, state, attempt, amount, account, ssn, masked, name, purpose, warnings, payment_id, status) = row[:12]
    (url, url_at, refusal, bank_text, claimed_at, updated_at, sender, claim_token, _) = row[12:]
    try:
        record = PaymentRecord(
            idempotency_key=key,
            state=ClaimState(state),
            amount_isk=amount,
            creditor_name=name,
            masked_account=masked,
            claimed_at=datetime.fromisoformat(claimed_at),
            updated_at=datetime.fromisoformat(updated_at),
            attempt=attempt,
            purpose=purpose,
            warnings=tuple(json.loads(warnings)),
            payment_id=payment_id,
            status=Status(status) if status else None,
            approval_url=url,
            approval_url_at=datetime.fromisoformat(url_at) if url_at else None,
            refusal_code=refusal,
            bank_text=bank_text,
        )
    except (ValueError, TypeError) as error:
        raise LedgerUnavailable(DAMAGED) from error
    return StoredPayment(record, account, ssn, sender, claim_token)
