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
└── LedgerUnavailable      the ledger cannot be read or written; this call sent nothing

`code` is the stable word an agent sees as `error_code`. The text of an error never holds a key, a kennitala, an account
or a name.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blikk_payments.models import PaymentRecord, Question

BUSY = "The ledger is busy with another task. Try again in a moment."


class ErrorCode(StrEnum):
    """Every `error_code` that a tool's result can have. The tables of what to do next have a row for each."""

    INVALID_ARGUMENTS = "invalid_arguments"
    NOT_CONFIGURED = "not_configured"
    OVER_LIMIT = "over_limit"
    CREDITOR_NOT_ALLOWED = "creditor_not_allowed"
    RATE_LIMITED = "rate_limited"
    CONFIRMATION_REQUIRED = "confirmation_required"
    CONFIRMATION_DECLINED = "confirmation_declined"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    POSSIBLE_DUPLICATE = "possible_duplicate"
    OUTCOME_UNKNOWN = "outcome_unknown"
    REJECTED_BY_BLIKK = "rejected_by_blikk"
    UNAUTHORIZED = "unauthorized"
    WRONG_CHANNEL = "wrong_channel"
    NOT_FOUND = "not_found"
    BLIKK_UNAVAILABLE = "blikk_unavailable"
    LEDGER_UNAVAILABLE = "ledger_unavailable"
    INTERNAL_ERROR = "internal_error"


class PaymentsError(Exception):
    """Base of all; `code` is what the tools' results have as `error_code`.

    A code that is none is a ValueError here, where it is made, and not where somebody looks up what to do about it.
    """

    code = ErrorCode.INTERNAL_ERROR

    def __init__(self, message: str, *, code: str = "", bank_text: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = ErrorCode(code) if code else type(self).code
        self.bank_text = bank_text


class PolicyDenied(PaymentsError):
    """A rule of the operator said no (`over_limit`, `creditor_not_allowed`, `rate_limited`, `confirmation_*`)."""

    code = ErrorCode.OVER_LIMIT


class ConfirmationRequired(PolicyDenied):
    """A person has to confirm before anything is claimed or sent."""

    code = ErrorCode.CONFIRMATION_REQUIRED

    def __init__(self, message: str, question: Question, earlier: PaymentRecord | None = None) -> None:
        super().__init__(message)
        self.question = question
        self.earlier = earlier

    def unanswered(self) -> PaymentsError:
        """What the call ends in where the question got no answer: nobody may have been asked, so it is no refusal."""
        if self.earlier is None:
            return PolicyDenied("the question to the person got no answer", code=ErrorCode.CONFIRMATION_REQUIRED)
        return PossibleDuplicate(
            "the question whether this is meant beside an earlier payment got no answer",
            self.earlier,
            confirmable=True,
            unanswered=True,
        )


class IdempotencyConflict(PaymentsError):
    """The idempotency key already belongs to a payment with another amount, account or kennitala."""

    code = ErrorCode.IDEMPOTENCY_CONFLICT


class PossibleDuplicate(PaymentsError):
    """An equal payment under another key is open, paid or unknown. `confirmable` is false while its outcome is unknown.

    `unanswered`: the client was to ask about it, and no answer came.
    """

    code = ErrorCode.POSSIBLE_DUPLICATE

    def __init__(self, message: str, earlier: PaymentRecord, *, confirmable: bool, unanswered: bool = False) -> None:
        super().__init__(message)
        self.earlier = earlier
        self.confirmable = confirmable
        self.unanswered = unanswered


class PaymentNotFound(PaymentsError):
    """The ledger has no payment under this key."""

    code = ErrorCode.NOT_FOUND


class PaymentRejected(PaymentsError):
    """Definitely no payment: Blikk refused the request, or the connection was never made. The key may be used again."""

    code = ErrorCode.REJECTED_BY_BLIKK


class OutcomeUnknown(PaymentsError):
    """The payment may exist and money may move. Only a person who looks in Blikk's portal can tell."""

    code = ErrorCode.OUTCOME_UNKNOWN


class StatusUnavailable(PaymentsError):
    """A status could not be read. Says nothing about whether the payment was made."""

    code = ErrorCode.BLIKK_UNAVAILABLE

    def __init__(self, message: str, *, code: str = "", bank_text: str = "", retry_after_seconds: float = 0.0) -> None:
        super().__init__(message, code=code, bank_text=bank_text)
        self.retry_after_seconds = retry_after_seconds


class LedgerUnavailable(PaymentsError):
    """The ledger cannot be read or written. A create that raises it has sent nothing; an earlier one may have."""

    code = ErrorCode.LEDGER_UNAVAILABLE
