"""How a payment stands at one moment: the answer to every question about it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from blikk_payments.errors import OutcomeUnknown, PaymentRejected, PaymentsError
from blikk_payments.ledger.protocol import RESOLVED_NOT_CREATED
from blikk_payments.models import ClaimState, Payment, PaymentRecord


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A payment as it stands.

    `fresh`: its status was read from Blikk for this answer. `recorded`: what is told of it is written down, too, as far
    as the ledger knows the payment. `error`: what went wrong.
    """

    payment: Payment
    fresh: bool = False
    replayed: bool = False
    recorded: bool = True
    error: PaymentsError | None = None

    @property
    def record(self) -> PaymentRecord | None:
        """The ledger's record of the payment; None if only Blikk knows it."""
        return self.payment if isinstance(self.payment, PaymentRecord) else None


def with_state_error(snapshot: Snapshot) -> Snapshot:
    """Attach the error that goes with the payment's state, if that state is one."""
    payment = snapshot.payment
    if payment.state is ClaimState.UNKNOWN:
        lost = OutcomeUnknown("Blikk's answer was lost: it may have been paid", bank_text=payment.bank_text)
        return replace(snapshot, error=lost)
    if payment.state is ClaimState.REFUSED and payment.refusal_code != RESOLVED_NOT_CREATED:
        refused = PaymentRejected("no payment was made", code=payment.refusal_code, bank_text=payment.bank_text)
        return replace(snapshot, error=refused)
    return snapshot
