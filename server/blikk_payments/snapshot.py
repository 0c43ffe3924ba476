"""A payment as it stands at one moment: what every question about it is answered with."""

from __future__ import annotations

from dataclasses import dataclass, replace

from blikk_payments.errors import OutcomeUnknown, PaymentRejected, PaymentsError
from blikk_payments.ledger.protocol import RESOLVED_NOT_CREATED
from blikk_payments.models import ClaimState, PaymentRecord


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A payment as it stands.

    `fresh`: its status was read from Blikk for this answer. `recorded`: the ledger has it too. `error`: what went wrong.
    """

    record: PaymentRecord
    fresh: bool = False
    replayed: bool = False
    recorded: bool = True
    error: PaymentsError | None = None


def with_state_error(snapshot: Snapshot) -> Snapshot:
    """Attach the error that goes with the record's state, if that state is one."""
    record = snapshot.record
    if record.state is ClaimState.UNKNOWN:
        lost = OutcomeUnknown("Blikk's answer was lost: it may have been paid", bank_text=record.bank_text)
        return replace(snapshot, error=lost)
    if record.state is ClaimState.REFUSED and record.refusal_code != RESOLVED_NOT_CREATED:
        refused = PaymentRejected("no payment was made", code=record.refusal_code, bank_text=record.bank_text)
        return replace(snapshot, error=refused)
    return snapshot
