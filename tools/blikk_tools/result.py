"""The one result: every tool answers every call with this flat object, refusals and errors included."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from blikk_payments.channel.links import Link, LinkRefused, check_link
from blikk_payments.channel.wire import Status
from blikk_payments.errors import ErrorCode
from blikk_payments.models import Payment, blikks_amount
from blikk_payments.snapshot import Snapshot
from blikk_tools.instructions import Presentation, Shown
from blikk_tools.next_steps import step_of_payment
from blikk_tools.outcomes import HumanAction, Outcome, outcome_of

LINK_WITHHELD = "link_withheld"
"""The warning that Blikk gave a link that may not be shown."""


class Result(BaseModel):
    """One shape for all. No field is ever null; what there is nothing to say about is `""`, `0` or `false`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Outcome
    status: str = ""
    final: bool = False
    payment_id: str = ""
    idempotency_key: str = ""
    amount: int = 0
    currency: str = "ISK"
    creditor_name: str = ""
    creditor_account: str = ""
    human_action: HumanAction = HumanAction.NONE
    human_instruction: str = ""
    approval_url: str = ""
    approval_host: str = ""
    next_step: str = ""
    replayed: bool = False
    environment: str = ""
    warnings: str = ""
    error_code: str = ""
    error_message: str = ""
    untrusted_bank_text: str = ""


def output_schema() -> dict[str, Any]:
    """Make the JSON Schema of `Result`, without a reference or a title: every client takes it."""
    properties = properties_of(Result)
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def properties_of(model: type[BaseModel], leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    """Make the properties of a flat model: text, whole numbers, booleans and words from a list."""
    types = {str: "string", int: "integer", bool: "boolean"}
    properties: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if name in leave_out:
            continue
        kind: Any = field.annotation
        if issubclass(kind, StrEnum):
            properties[name] = {"type": "string", "enum": [member.value for member in kind]}
        else:
            properties[name] = {"type": types[kind]}
    return properties


@dataclass(frozen=True, slots=True)
class ApprovalStep:
    """What the person has to do, the link if one may be shown, and the code of what to warn of.

    Of the link: `replaces` that they were given another one before, `lapsed` that they have had this one for long.
    """

    action: HumanAction = HumanAction.NONE
    link: Link | None = None
    warning: str = ""
    replaces: bool = False
    lapsed: bool = False


def approval_step(snapshot: Snapshot, presentation: Presentation) -> ApprovalStep:
    """Decide what a person has to do now, and whether the link may be shown.

    Only a link that Blikk gave just now is shown, and only if it passes the grammar and the operator's hosts. Nobody
    is to approve another amount than was asked for, in whatever app.
    """
    payment = snapshot.payment
    if outcome_of(payment) is not Outcome.NEEDS_HUMAN or not snapshot.fresh or blikks_amount(payment.warnings):
        return ApprovalStep()
    link = shown_link(payment, presentation)
    if link is None:
        return ApprovalStep(HumanAction.BANK_APP, None, LINK_WITHHELD if payment.approval_url else "")
    onboarding = payment.status is Status.USER_ONBOARDING_REQUIRED
    action = HumanAction.ONBOARDING if onboarding else HumanAction.OPEN_LINK
    return ApprovalStep(action, link, "punycode" if link.punycode else "")


def shown_link(payment: Payment, presentation: Presentation) -> Link | None:
    """Take the payment's approval link, if it has one that may be shown."""
    try:
        return check_link(
            payment.approval_url, allowed_hosts=presentation.sca_hosts, allow_loopback_http=presentation.loopback
        )
    except LinkRefused:
        return None


def of_snapshot(snapshot: Snapshot, approval: ApprovalStep, presentation: Presentation, *, warning: str = "") -> Result:
    """Tell a payment as it stands, in the words for model and person; `warning` is the code of one more."""
    payment, error = snapshot.payment, snapshot.error
    outcome, shown = outcome_of(payment), Shown.of(payment)
    codes = [*payment.warnings, approval.warning, warning, "lapsed" if approval.lapsed and approval.link else ""]
    codes += [] if snapshot.recorded else ["not_kept"]
    error_code = error.code if error else None
    other_amount = blikks_amount(payment.warnings) is not None
    return Result(
        outcome=outcome,
        status=payment.status or "",
        final=payment.final,
        payment_id=payment.payment_id,
        idempotency_key=snapshot.record.idempotency_key if snapshot.record else "",
        amount=shown.amount_isk or 0,
        creditor_name=shown.creditor_name,
        creditor_account=shown.masked_account,
        human_action=approval.action,
        human_instruction=_instruction(snapshot, approval, presentation),
        approval_url=approval.link.url if approval.link else "",
        approval_host=approval.link.host if approval.link else "",
        next_step=step_of_payment(
            outcome,
            approval.action,
            error_code,
            has_id=bool(payment.payment_id),
            fresh=snapshot.fresh,
            other_amount=other_amount,
        ),
        replayed=snapshot.replayed,
        environment=presentation.environment,
        warnings=" ".join(presentation.warning(code, payment.asked_isk) for code in codes if code),
        error_code=error_code or "",
        error_message=error.message if error else "",
        untrusted_bank_text=(error.bank_text if error else "") or payment.bank_text,
    )


def _instruction(snapshot: Snapshot, approval: ApprovalStep, presentation: Presentation) -> str:
    payment, error = snapshot.payment, snapshot.error
    outcome, shown = outcome_of(payment), Shown.of(payment)
    if outcome is Outcome.REFUSED:
        return presentation.refusal(shown, error.code if error else None)
    if error is not None and error.code is not ErrorCode.OUTCOME_UNKNOWN:
        return presentation.unread(shown if snapshot.record else None, error.code)
    return presentation.human_instruction(
        outcome,
        approval.action,
        shown,
        approval.link,
        replaces=approval.replaces,
        lapsed=approval.lapsed,
        withheld=approval.warning == LINK_WITHHELD,
    )
