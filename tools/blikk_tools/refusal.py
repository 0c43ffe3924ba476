"""One place turns what went wrong into what the agent reads: what happened, whether money may have moved, what next."""

from __future__ import annotations

from blikk_payments.errors import PaymentsError, PossibleDuplicate
from blikk_payments.models import ClaimState
from blikk_tools.instructions import NEXT_STEPS, Presentation, refused_step
from blikk_tools.result import Outcome, Result
from blikk_tools.tool import Call

MAY_BE_PAID = frozenset({"internal_error", "outcome_unknown"})
"""Errors of a create after which nobody may say that no payment was made."""


def of_error(error: PaymentsError, tool: str, presentation: Presentation, call: Call | None = None) -> Result:
    """The result of a call that made no payment (`refused`), or of a question that has no answer (`unknown`)."""
    intent = call.intent if call else None
    outcome = Outcome.REFUSED if tool == "create_payment" and error.code not in MAY_BE_PAID else Outcome.UNKNOWN
    result = Result(
        outcome=outcome,
        payment_id=call.payment_id if call else "",
        idempotency_key=intent.idempotency_key if intent else call.idempotency_key if call else "",
        amount=intent.amount_isk if intent else 0,
        creditor_name=intent.creditor_name if intent else "",
        creditor_account=intent.masked_account if intent else "",
        next_step=NEXT_STEPS[_step(error, outcome)],
        environment=presentation.environment,
        warnings=" ".join(presentation.warning(code) for code in intent.warnings) if intent else "",
        error_code=error.code,
        error_message=error.message,
        untrusted_bank_text=error.bank_text,
    )
    if isinstance(error, PossibleDuplicate):
        return result.model_copy(update={"payment_id": error.earlier.payment_id})
    return result


def _step(error: PaymentsError, outcome: Outcome) -> str:
    if isinstance(error, PossibleDuplicate) and not error.confirmable:
        unknown = error.earlier.state is ClaimState.UNKNOWN
        return "unconfirmable_duplicate" if unknown else "duplicate_in_flight"
    if outcome is Outcome.UNKNOWN and error.code == "ledger_unavailable":
        return "unread"
    return refused_step(error.code) if outcome is Outcome.REFUSED else error.code
