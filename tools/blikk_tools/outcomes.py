"""The two words that every result is built on: what became of a payment, and what a person has to do."""

from __future__ import annotations

from enum import StrEnum

from blikk_payments.channel.wire import FAILED, NEEDS_PERSON, Status
from blikk_payments.models import ClaimState, Payment


class Outcome(StrEnum):
    """What became of a payment, in the words an agent acts on."""

    PAID = "paid"
    FAILED = "failed"
    NEEDS_HUMAN = "needs_human"
    PENDING = "pending"
    UNKNOWN = "unknown"
    REFUSED = "refused"


class HumanAction(StrEnum):
    """What a person has to do."""

    NONE = "none"
    OPEN_LINK = "open_link"
    BANK_APP = "bank_app"
    ONBOARDING = "onboarding"


def outcome_of(payment: Payment) -> Outcome:
    """Tell a payment's outcome. `paid` and `failed` only ever come from Blikk's own terminal word."""
    match payment.state:
        case ClaimState.REFUSED:
            return Outcome.REFUSED
        case ClaimState.UNKNOWN:
            return Outcome.UNKNOWN
        case ClaimState.CLAIMED | ClaimState.SENDING:
            return Outcome.PENDING
        case ClaimState.CREATED:
            pass
    if payment.status is Status.SUCCESS:
        return Outcome.PAID
    if payment.status in FAILED:
        return Outcome.FAILED
    return Outcome.NEEDS_HUMAN if payment.status in NEEDS_PERSON else Outcome.PENDING
