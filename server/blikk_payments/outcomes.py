"""What became of a request: created, definitely not made, or unknown.

Each knows the record that it leads to, and the one ledger call that writes it down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from blikk_payments.channel.wire import ChannelPayment
from blikk_payments.ledger.protocol import Ledger
from blikk_payments.ledger.stored import apply_answer, now_refused, now_unknown
from blikk_payments.models import PaymentRecord


@dataclass(frozen=True, slots=True)
class Created:
    """Blikk gave the payment an id."""

    answer: ChannelPayment

    def apply(self, record: PaymentRecord, now: datetime) -> PaymentRecord:
        """The record of the payment that there is now."""
        return apply_answer(record, self.answer, now)

    def write(self, ledger: Ledger, record: PaymentRecord, now: datetime) -> PaymentRecord:
        """See `Ledger.created`."""
        return ledger.created(record.idempotency_key, record.attempt, self.answer, now=now)


@dataclass(frozen=True, slots=True)
class NotMade:
    """There is definitely no payment: Blikk refused, or the request never left. The key may be sent again."""

    code: str
    bank_text: str = ""

    def apply(self, record: PaymentRecord, now: datetime) -> PaymentRecord:
        """The record once it is definite that no payment was made."""
        return now_refused(record, self.code, self.bank_text, now)

    def write(self, ledger: Ledger, record: PaymentRecord, now: datetime) -> PaymentRecord:
        """See `Ledger.refused`."""
        return ledger.refused(record.idempotency_key, record.attempt, code=self.code, bank_text=self.bank_text, now=now)


@dataclass(frozen=True, slots=True)
class Unknown:
    """The payment may exist and money may move."""

    reason: str
    bank_text: str = ""

    def apply(self, record: PaymentRecord, now: datetime) -> PaymentRecord:
        """The record once nobody can tell what became of it."""
        return replace(now_unknown(record, now), bank_text=self.bank_text)

    def write(self, ledger: Ledger, record: PaymentRecord, now: datetime) -> PaymentRecord:
        """See `Ledger.unknown`."""
        return ledger.unknown(record.idempotency_key, record.attempt, reason=self.reason, now=now)


Outcome = Created | NotMade | Unknown
