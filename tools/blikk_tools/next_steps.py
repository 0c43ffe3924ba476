"""What the model does next, and what it must not do: a sentence or two for each way that a call can end."""

from __future__ import annotations

from collections.abc import Mapping

from blikk_payments.errors import ErrorCode, PaymentsError, PossibleDuplicate
from blikk_payments.models import ClaimState
from blikk_tools.outcomes import HumanAction, Outcome

NEVER = "Do not pay again, not under another key either."
ASK_FIRST = "Ask the person before you try again; only if they want it, use a new idempotency_key."
THIS_CALL = "This call sent nothing; an earlier one with this key may have."
TELL = "Show human_instruction to the person word for word."

BY_STATE: Mapping[str, str] = {
    "paid": "Tell the person that it is paid. Do not pay again.",
    "failed": f"Blikk ended it without payment. Tell the person. {ASK_FIRST}",
    "open_link": (
        "Show human_instruction to the person word for word, link included. Do not open the link, do not approve, do not "
        "ask for codes or passwords. Then call await_payment with this payment_id and human_informed=true. Do not say "
        "that it is paid before outcome is paid."
    ),
    "bank_app": (
        "Show human_instruction to the person word for word. Do not approve, do not ask for codes or passwords. Then call "
        "await_payment with this payment_id and human_informed=true. Do not say that it is paid before outcome is paid."
    ),
    "stale": (
        "A person has to act, but the link could not be read afresh. Call get_payment_status with this payment_id. Do not "
        "say that it is paid and do not create it again."
    ),
    "pending": (
        "Not final yet. Call await_payment with this payment_id. Do not create it again under another key and do not "
        "say that it is paid."
    ),
    "sending": "It is being sent right now. Call get_payment_status with this idempotency_key. Do not create it again.",
    "unknown": (
        f"It may have been paid. {NEVER} Tell the person that someone has to look for it in Blikk's merchant portal; "
        "then the operator settles it with `blikk-mcp ledger resolve`."
    ),
    "not_created": "The operator found that it was not made. Only if the person still wants it, the same key may be used.",
}
"""By how the payment stands."""

_OTHER_AMOUNT = f"Blikk names another amount or currency than was asked for. {TELL} The operator has to look into it."
OTHER_AMOUNT: Mapping[Outcome, str] = {
    Outcome.PAID: f"It is paid. {_OTHER_AMOUNT} {NEVER}",
    Outcome.NEEDS_HUMAN: f"{_OTHER_AMOUNT} The person must not approve it. {NEVER}",
    Outcome.PENDING: f"Not final yet. {_OTHER_AMOUNT} {NEVER}",
}
"""By how a payment stands of which Blikk names another amount or currency than was asked for."""

AFTER_REFUSAL: Mapping[ErrorCode, str] = {
    ErrorCode.INVALID_ARGUMENTS: (
        f"{THIS_CALL} Correct the named argument and call again with the same idempotency_key."
    ),
    ErrorCode.NOT_CONFIGURED: f"{THIS_CALL} {TELL} The operator has to correct the named setting.",
    ErrorCode.OVER_LIMIT: f"Nothing was sent. {TELL} Do not split the payment to get under the limit.",
    ErrorCode.CREDITOR_NOT_ALLOWED: f"Nothing was sent. {TELL} Only the operator can allow this payee.",
    ErrorCode.RATE_LIMITED: f"Nothing was sent. {TELL} Wait a minute, and ask before you make more payments.",
    ErrorCode.CONFIRMATION_REQUIRED: (
        f"Nothing was sent. {TELL} A person has to confirm it in the client's own question; you cannot do it for them."
    ),
    ErrorCode.CONFIRMATION_DECLINED: (
        "Nothing was sent. It was declined: by the person, or by a client that runs without one. Do not try again "
        "unless the person asks for it."
    ),
    ErrorCode.IDEMPOTENCY_CONFLICT: (
        "Nothing was sent: this key belongs to another payment. Look it up with get_payment_status before you do "
        "anything; a new key is right only for a new purchase."
    ),
    ErrorCode.POSSIBLE_DUPLICATE: (
        "Nothing was sent. Ask the person whether both payments are intended. Only if they say so, call again with the "
        "same arguments and confirmed_duplicate_of set to this payment_id."
    ),
    ErrorCode.OUTCOME_UNKNOWN: BY_STATE["unknown"],
    ErrorCode.REJECTED_BY_BLIKK: (
        "No payment was made: Blikk refused it. Tell the person why if you can; a corrected create_payment may use the "
        "same idempotency_key."
    ),
    ErrorCode.UNAUTHORIZED: (
        f"No payment was made: Blikk refused the server's key. {TELL} Do not try again before the operator has checked it."
    ),
    ErrorCode.WRONG_CHANNEL: (
        f"No payment was made: Blikk says that this belongs to another channel. {TELL} Do not try again before the "
        "operator has checked it."
    ),
    ErrorCode.NOT_FOUND: (
        f"No payment was made: there is no such service at the server's address. {TELL} Do not try again before the "
        "operator has checked it."
    ),
    ErrorCode.BLIKK_UNAVAILABLE: (
        "Nothing was sent: Blikk was not reached. You may call create_payment again with the same idempotency_key."
    ),
    ErrorCode.LEDGER_UNAVAILABLE: (
        f"{THIS_CALL} {TELL} Look it up with get_payment_status and the idempotency_key; use no other key for it."
    ),
    ErrorCode.INTERNAL_ERROR: (
        f"Something went wrong here, and it may have been paid. {NEVER} Look it up with get_payment_status and the "
        "idempotency_key."
    ),
}
"""After a create that made no payment, or may have made one: by error code."""

UNREAD = (
    "Its status could not be read, which says nothing of whether it was paid. Ask again later. Do not create it again."
)
AFTER_READ: Mapping[ErrorCode, str] = dict.fromkeys(ErrorCode, UNREAD) | {
    ErrorCode.INVALID_ARGUMENTS: "Correct the named argument and call again. Nothing was looked up.",
    ErrorCode.NOT_CONFIGURED: (
        f"It could not be looked up; it may have been paid. {TELL} The operator has to correct the named setting. Do not "
        "create it again."
    ),
    ErrorCode.OUTCOME_UNKNOWN: BY_STATE["unknown"],
    ErrorCode.UNAUTHORIZED: (
        "Blikk refused the server's key, so its status is not known. Tell the person that the operator has to check the "
        "key. Do not create it again."
    ),
    ErrorCode.WRONG_CHANNEL: (
        "Check the payment_id, or look it up by idempotency_key: Blikk says that this one belongs to another channel. "
        "If it is right, the operator has to check the key. Do not create it again."
    ),
    ErrorCode.NOT_FOUND: (
        "Check the payment_id, or look it up by idempotency_key; list_payments shows what there is. Not found does not "
        "mean not paid: do not create it again."
    ),
}
"""After a question about a payment: what could not be read says nothing of the payment."""

UNLISTED = (
    "The list could not be read, which says nothing of any payment. Try again later; create nothing because of it."
)
AFTER_LIST: Mapping[ErrorCode, str] = dict.fromkeys(ErrorCode, UNLISTED) | {
    ErrorCode.INVALID_ARGUMENTS: "Correct the named argument and call again.",
    ErrorCode.NOT_CONFIGURED: f"The list could not be read. {TELL} The operator has to correct the named setting.",
}
"""After a list that could not be read."""

LISTED = (
    "This is what the ledger knows; call get_payment_status for what Blikk says now. Do not create again what is open, "
    "unknown or paid."
)

UNANSWERED_DUPLICATE = (
    "Nothing was sent: the client's question got no answer. Ask the person whether both payments are intended; if so, "
    "call again with the same arguments, and they have to answer the question."
)
UNKNOWN_DUPLICATE = (
    "Nothing was sent. The earlier payment may have been paid, and no confirmation can override this: someone has to "
    "look in Blikk's merchant portal, and the operator to settle it with `blikk-mcp ledger resolve`. Tell the person."
)
DUPLICATE_IN_FLIGHT = "Nothing was sent. Wait a few seconds, then look at what became of the earlier payment."

MAY_BE_PAID = frozenset({ErrorCode.INTERNAL_ERROR, ErrorCode.OUTCOME_UNKNOWN})
"""Errors of a create after which nobody may say that no payment was made."""


def step_of_payment(
    outcome: Outcome, action: HumanAction, code: ErrorCode | None, *, has_id: bool, fresh: bool, other_amount: bool
) -> str:
    """Tell the next step with a payment as it stands; `code` is that of an error that came with it.

    `other_amount`: Blikk names another amount or currency than was asked for.
    """
    if other_amount and outcome in OTHER_AMOUNT and not code:
        return OTHER_AMOUNT[outcome]
    if outcome in (Outcome.PAID, Outcome.FAILED):
        return BY_STATE[outcome]
    if outcome is Outcome.REFUSED:
        return AFTER_REFUSAL[code] if code else BY_STATE["not_created"]
    if code:
        return AFTER_READ[code]
    if outcome is Outcome.NEEDS_HUMAN:
        if not fresh:
            return BY_STATE["stale"]
        return BY_STATE["bank_app" if action is HumanAction.BANK_APP else "open_link"]
    if outcome is Outcome.PENDING:
        return BY_STATE["pending" if has_id else "sending"]
    return BY_STATE["unknown"]


def step_after_error(error: PaymentsError, tool: str) -> str:
    """Tell the next step after a call that ended in an error: the same code says something else after each tool."""
    if tool == "list_payments":
        return AFTER_LIST[error.code]
    if tool != "create_payment":
        return AFTER_READ[error.code]
    if isinstance(error, PossibleDuplicate):
        if error.unanswered:
            return UNANSWERED_DUPLICATE
        if not error.confirmable:
            return UNKNOWN_DUPLICATE if error.earlier.state is ClaimState.UNKNOWN else DUPLICATE_IN_FLIGHT
    return AFTER_REFUSAL[error.code]
