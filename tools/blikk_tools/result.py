"""The one result: every tool answers every call with this flat object, refusals and errors included."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from blikk_payments.channel.links import Link, LinkRefused, check_link
from blikk_payments.channel.wire import FAILED, NEEDS_PERSON, Status
from blikk_payments.models import ClaimState, PaymentRecord
from blikk_payments.snapshot import Snapshot
from blikk_tools.instructions import Presentation, Shown

if TYPE_CHECKING:
    from blikk_tools.tool import Call


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
    """The JSON Schema of `Result`, without a reference or a title: every client takes it."""
    types = {str: "string", int: "integer", bool: "boolean"}
    properties: dict[str, Any] = {}
    for name, field in Result.model_fields.items():
        kind: Any = field.annotation
        if issubclass(kind, StrEnum):
            properties[name] = {"type": "string", "enum": [member.value for member in kind]}
        else:
            properties[name] = {"type": types[kind]}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def outcome_of(record: PaymentRecord) -> Outcome:
    """The outcome that a record stands for. `paid` and `failed` only ever come from Blikk's own terminal word."""
    match record.state:
        case ClaimState.REFUSED:
            return Outcome.REFUSED
        case ClaimState.UNKNOWN:
            return Outcome.UNKNOWN
        case ClaimState.CLAIMED | ClaimState.SENDING:
            return Outcome.PENDING
        case ClaimState.CREATED:
            pass
    if record.status is Status.SUCCESS:
        return Outcome.PAID
    if record.status in FAILED:
        return Outcome.FAILED
    return Outcome.NEEDS_HUMAN if record.status in NEEDS_PERSON else Outcome.PENDING


def result_of(call: Call, snapshot: Snapshot, *, note: str = "") -> Result:
    """What a call is answered with: the payment as it stands. `note` is the code of one more warning."""
    record = snapshot.record
    lapsed = record.link_may_have_lapsed(call.service.now())
    call.cautions = call.presentation.cautions(record.warnings)
    _, link, _ = _hand_over(snapshot, outcome_of(record), call.presentation)
    replaces = call.shown.show(record.payment_id, link)
    return of_snapshot(snapshot, call.presentation, note=note, replaces=replaces, lapsed=lapsed)


def of_snapshot(
    snapshot: Snapshot, presentation: Presentation, *, note: str = "", replaces: bool = False, lapsed: bool = False
) -> Result:
    """A payment as it stands, in the words for model and person; `note` is the code of one more warning.

    `replaces` and `lapsed` are what the person has to know of the link, if one is shown.
    """
    record, error = snapshot.record, snapshot.error
    outcome = outcome_of(record)
    action, link, link_warning = _hand_over(snapshot, outcome, presentation)
    shown = Shown.of_record(record)
    warnings = [presentation.warning(code) for code in record.warnings]
    warnings += [link_warning] if link_warning else []
    codes = [note, "lapsed" if lapsed and link else "", "" if snapshot.kept else "not_kept"]
    warnings += [presentation.warning(code) for code in codes if code]
    error_code = error.code if error else ""
    return Result(
        outcome=outcome,
        status=record.status or "",
        final=record.final,
        payment_id=record.payment_id,
        idempotency_key=record.idempotency_key,
        amount=record.amount_isk,
        creditor_name=record.creditor_name,
        creditor_account=record.masked_account,
        human_action=action,
        human_instruction=presentation.human_instruction(
            outcome, action, shown, link, replaces=replaces, lapsed=lapsed
        ),
        approval_url=link.url if link else "",
        approval_host=link.host if link else "",
        next_step=presentation.next_step(
            outcome, action, error_code, payment_id=record.payment_id, fresh=snapshot.fresh
        ),
        replayed=snapshot.replayed,
        environment=presentation.environment,
        warnings=" ".join(warnings),
        error_code=error_code,
        error_message=error.message if error else "",
        untrusted_bank_text=(error.bank_text if error else "") or record.bank_text,
    )


def shown_link(record: PaymentRecord, presentation: Presentation) -> Link | None:
    """The record's approval link, if it has one that may be shown."""
    try:
        return check_link(
            record.approval_url, allowed_hosts=presentation.sca_hosts, allow_loopback_http=presentation.loopback
        )
    except LinkRefused:
        return None


def _hand_over(
    snapshot: Snapshot, outcome: Outcome, presentation: Presentation
) -> tuple[HumanAction, Link | None, str]:
    """What the person has to do, the link if one may be shown, and what to warn of.

    Only a link that Blikk gave just now is shown, and only if it passes the grammar and the operator's hosts.
    """
    record = snapshot.record
    if outcome is not Outcome.NEEDS_HUMAN or not snapshot.fresh:
        return HumanAction.NONE, None, ""
    link = shown_link(record, presentation)
    if link is None:
        return HumanAction.BANK_APP, None, presentation.warning("link_withheld") if record.approval_url else ""
    onboarding = record.status is Status.USER_ONBOARDING_REQUIRED
    action = HumanAction.ONBOARDING if onboarding else HumanAction.OPEN_LINK
    return action, link, presentation.warning("punycode") if link.punycode else ""
