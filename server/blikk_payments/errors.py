"""Everything that can go wrong with a payment, as one tree.

PaymentsError
├── PolicyDenied           our own rules said no; nothing was sent
│   └── ConfirmationRequired   a person has to say yes first; carries the question
├── IdempotencyConflict    the key belongs to another payment; nothing was sent
├── PossibleDuplicate      an equal payment exists under another key; nothing was sent
├── PaymentNotFound        the ledger knows no such key
├── PaymentRejected        definitely did not happen: Blikk refused, or was never reached
├── OutcomeUnknown         may have happened; never sent again by itself
├── StatusUnavailable      a status could not be read; what was known before still stands
└── LedgerUnavailable      the ledger cannot be read or written

`code` is the stable word an agent sees as `error_code`. The text of an error never holds a key, a kennitala, an account
or a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blikk_payments.models import PaymentRecord, Question

BUSY = "The ledger is busy with another task. Try again in a moment."


class PaymentsError(Exception):
    """Base of all; `code` is one of the error codes of the tools' results."""

    code = "internal_error"

    def __init__(self, message: str, *, code: str = "", bank_text: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.bank_text = bank_text


class PolicyDenied(PaymentsError):
    """A rule of the operator said no (`over_limit`, `creditor_not_allowed`, `rate_limited`, `confirmation_*`)."""

    code = "over_limit"


class ConfirmationRequired(PolicyDenied):
    """A person has to confirm before anything is claimed or sent."""

    code = "confirmation_required"

    def __init__(self, message: str, question: Question) -> None:
        super().__init__(message)
        self.question = question


class IdempotencyConflict(PaymentsError):
    """The idempotency key already belongs to a payment with another amount, account or kennitala."""

    code = "idempotency_conflict"


class PossibleDuplicate(PaymentsError):
    """An equal payment under another key is open, paid or unknown. `confirmable` is false while its outcome is unknown."""

    code = "possible_duplicate"

    def __init__(self, message: str, earlier: PaymentRecord, *, confirmable: bool) -> None:
        super().__init__(message)
        self.earlier = earlier
        self.confirmable = confirmable


class PaymentNotFound(PaymentsError):
    """The ledger has no payment under this key."""

    code = "not_found"


class PaymentRejected(PaymentsError):
    """Definitely no payment: Blikk refused the request, or the connection was never made. The key may be used again."""

    code = "rejected_by_blikk"


class OutcomeUnknown(PaymentsError):
    """The payment may exist and money may move. Only a person who looks in Blikk's portal can tell."""

    code = "outcome_unknown"


class StatusUnavailable(PaymentsError):
    """A status could not be read. Says nothing about whether the payment was made."""

    code = "blikk_unavailable"

    def __init__(self, message: str, *, code: str = "", bank_text: str = "", retry_after_seconds: float = 0.0) -> None:
        super().__init__(message, code=code, bank_text=bank_text)
        self.retry_after_seconds = retry_after_seconds


class LedgerUnavailable(PaymentsError):
    """The ledger cannot be read or written, so nothing new may be sent."""

    code = "ledger_unavailable"
