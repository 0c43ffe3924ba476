"""Turn every error into the result that the agent reads: what happened, whether money may have moved, what next."""

from __future__ import annotations

from blikk_payments.errors import PaymentsError, PossibleDuplicate
from blikk_tools.arguments import NO_SUBJECT, Subject
from blikk_tools.instructions import Presentation
from blikk_tools.next_steps import MAY_BE_PAID, step_after_error
from blikk_tools.outcomes import Outcome
from blikk_tools.result import Result


def of_error(error: PaymentsError, tool: str, presentation: Presentation, subject: Subject = NO_SUBJECT) -> Result:
    """Tell of a call that made no payment (`refused`), or of a question that has no answer (`unknown`)."""
    intent, payment_id = subject.intent, subject.payment_id
    outcome = Outcome.REFUSED if tool == "create_payment" and error.code not in MAY_BE_PAID else Outcome.UNKNOWN
    if isinstance(error, PossibleDuplicate):
        payment_id = error.earlier.name if error.confirmable else error.earlier.payment_id
    return Result(
        outcome=outcome,
        payment_id=payment_id,
        idempotency_key=subject.idempotency_key,
        amount=intent.amount_isk if intent else 0,
        creditor_name=intent.creditor_name if intent else "",
        creditor_account=intent.masked_account if intent else "",
        human_instruction=presentation.after_error(error, tool, outcome, intent),
        next_step=step_after_error(error, tool),
        environment=presentation.environment,
        warnings=" ".join(presentation.warning(code) for code in intent.warnings) if intent else "",
        error_code=error.code,
        error_message=error.message,
        untrusted_bank_text=error.bank_text,
    )
