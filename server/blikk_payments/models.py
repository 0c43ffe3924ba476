"""A payment: the intent, the record of what is known, and the questions that a person may be asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from blikk_payments.channel.wire import FAILED, NEEDS_PERSON, TERMINAL, Status


def other_amount(amount: int | Decimal | None, currency: str) -> str:
    """The warning that Blikk says this of a payment instead of what was asked for."""
    return f"{OTHER_AMOUNT}={'' if amount is None else amount}_{currency}"


def blikks_amount(warnings: tuple[str, ...]) -> tuple[str, str] | None:
    """Amount and currency that Blikk names instead of those that were asked for; None if it does not."""
    for name, _, said in (warning.partition("=") for warning in warnings):
        if name == OTHER_AMOUNT:
            amount, _, currency = said.partition("_")
            return amount, currency
    return None


class ClaimState(StrEnum):
    """Where a claim stands. The legal transitions are `TRANSITIONS` in `ledger/protocol.py`."""

    CLAIMED = "claimed"
    SENDING = "sending"
    CREATED = "created"
    REFUSED = "refused"
    UNKNOWN = "unknown"


LOOKALIKE_NAME = "lookalike_name"
"""The warning that a payee's name looks like an earlier payee's, while spelling and account are others."""

EQUAL_PAYMENT = "equal_payment"
"""The warning that an equal payment stands under another key, and that only the agent says a person wants both."""

EARLIER_IN_DOUBT = "earlier_in_doubt"
"""The same of an earlier payment to the account of which it is not known whether it was paid."""

STRAY_PAYMENT = "stray_payment"
"""The warning that Blikk may have made more than one payment for this key: only a person can tell."""

OTHER_AMOUNT = "other_amount"
"""The warning that Blikk names another amount or currency than was asked for; what it says is a part of it."""

FAILURE_MAY_CHANGE_SECONDS = 900.0
"""How long after Blikk said that a payment failed it is still asked again: a SUCCESS can come late."""

LINK_MAY_HAVE_LAPSED_SECONDS = 900.0
"""Far beyond the life of an approval link: 120 s, or 300 s with onboarding, at Blikk's sister API."""


@dataclass(frozen=True, slots=True)
class PaymentIntent:
    """What an agent asks for, checked and normalised. `amount_isk` is whole krónur.

    `account_key` is the account's identity (`IS` and 12 digits for an Icelandic account, however it was written; the
    whole IBAN for any other); `creditor_ssn` is 10 digits. Exactly one of `creditor_iban` and `creditor_bban` is set.
    """

    idempotency_key: str
    amount_isk: int
    creditor_name: str
    creditor_ssn: str
    account_key: str
    masked_account: str
    creditor_iban: str = ""
    creditor_bban: str = ""
    purpose: str = ""
    confirmed_duplicate_of: str = ""
    warnings: tuple[str, ...] = ()

    def is_same_payment(self, other: PaymentIntent) -> bool:
        """Whether amount, account and kennitala are the same: what decides it, as in the ledger."""
        return (self.amount_isk, self.account_key, self.creditor_ssn) == (
            other.amount_isk,
            other.account_key,
            other.creditor_ssn,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """What became of a payment: all that is known of one that this ledger never claimed.

    `payment_id` is `""` until Blikk gave one; `status` is `None` until Blikk said one. `approval_url` is raw and has to
    pass the link rules before anybody sees it. `refusal_code` and `bank_text` tell why Blikk refused. Times are UTC.
    """

    state: ClaimState
    updated_at: datetime
    payment_id: str = ""
    status: Status | None = None
    approval_url: str = ""
    approval_url_at: datetime | None = None
    refusal_code: str = ""
    bank_text: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def asked_isk(self) -> int | None:
        """The amount that was asked for, in krónur; None if only Blikk knows it."""
        return None

    @property
    def final(self) -> bool:
        """Whether Blikk's status is terminal."""
        return self.status in TERMINAL

    def link_may_have_lapsed(self, now: datetime) -> bool:
        """Whether a person has had this link for far longer than such links live."""
        if self.status not in NEEDS_PERSON or self.approval_url_at is None:
            return False
        return (now - self.approval_url_at).total_seconds() >= LINK_MAY_HAVE_LAPSED_SECONDS

    @property
    def failed(self) -> bool:
        """Whether it is certain that no money moves: refused, or ended by Blikk without payment."""
        return self.state is ClaimState.REFUSED or self.status in FAILED

    def failure_may_change(self, now: datetime) -> bool:
        """Whether Blikk said so lately that it failed that it should be asked once more."""
        age_seconds = (now - self.updated_at).total_seconds()
        return self.status in FAILED and abs(age_seconds) < FAILURE_MAY_CHANGE_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRecord(Payment):
    """A payment as the ledger has it. Holds no kennitala and no full account: what the operator needs to find it, no more.

    `attempt` counts the times this key was sent (again only after a definite refusal).
    """

    idempotency_key: str
    amount_isk: int
    creditor_name: str
    masked_account: str
    claimed_at: datetime
    attempt: int = 1
    purpose: str = ""

    @property
    def asked_isk(self) -> int | None:
        """See `Payment.asked_isk`."""
        return self.amount_isk

    @property
    def name(self) -> str:
        """What an agent calls this payment: Blikk's id, or the key where there is no id."""
        return self.payment_id or self.idempotency_key


@dataclass(frozen=True, slots=True)
class Facts:
    """What the ledger knows at the moment of a claim, read in the claim's own transaction.

    `reserved_today_isk`: krónur of today's (UTC) open, paid and unknown payments. `claims_last_minute`: payments let
    through in the last 60 s, refused ones left out. `possible_duplicates`: payments to the same account with the same
    amount under other keys that have not failed, newest first: those that are unknown whatever their age, the others
    if younger than the window. `unknown_to_account`: payments of *other* amounts to the same account whose
    outcome is unknown, at most five. `lookalike`: the payee is new here, and an earlier one at another account has a
    name that looks the same and is spelled otherwise.
    """

    reserved_today_isk: int = 0
    claims_last_minute: int = 0
    possible_duplicates: tuple[PaymentRecord, ...] = ()
    unknown_to_account: tuple[PaymentRecord, ...] = ()
    lookalike: bool = False

    def warnings(self, intent: PaymentIntent) -> tuple[str, ...]:
        """What the approver of this payment should be warned of: by the intent itself, and by what came before it."""
        return (*intent.warnings, LOOKALIKE_NAME) if self.lookalike else intent.warnings

    def on_the_agents_word(self, intent: PaymentIntent) -> tuple[str, ...]:
        """What the approver is warned of because the agent says that they know: it may never have asked them."""
        if not intent.confirmed_duplicate_of:
            return ()
        if self.possible_duplicates:
            return (EQUAL_PAYMENT,)
        return (EARLIER_IN_DOUBT,) if self.unknown_to_account else ()


class Confirmation(StrEnum):
    """What came of a question. `unanswered`: nobody may have been asked, so it is neither a yes nor a no."""

    YES = "yes"
    DECLINED = "declined"
    UNANSWERED = "unanswered"


class QuestionKind(StrEnum):
    """Why a person is asked."""

    ABOVE_THRESHOLD = "above_threshold"
    DUPLICATE = "duplicate"
    IN_DOUBT = "in_doubt"


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked before a payment, bound to exactly this payment. One question can have both reasons.

    `duplicate_of` is the earlier payment's id, or its key (`""` if the reason is the amount alone). `warnings` are
    shown with it.
    """

    kinds: frozenset[QuestionKind]
    idempotency_key: str
    amount_isk: int
    creditor_name: str
    creditor_ssn: str = field(repr=False)
    account_key: str = field(repr=False)
    masked_account: str = ""
    duplicate_of: str = ""
    warnings: tuple[str, ...] = ()
    purpose: str = ""
