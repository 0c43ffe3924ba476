"""What Blikk says of a payment, written into the rows of a ledger."""

from __future__ import annotations

from datetime import datetime

from blikk_payments.channel.wire import ChannelPayment
from blikk_payments.errors import OutcomeUnknown, PaymentsError
from blikk_payments.ledger.history import Event
from blikk_payments.ledger.protocol import IllegalTransition
from blikk_payments.ledger.sql.rows import Rows
from blikk_payments.ledger.stored import StoredPayment, apply_answer, now_unknown, objection
from blikk_payments.models import ClaimState, PaymentRecord


def write_answer(
    rows: Rows, before: StoredPayment, answer: ChannelPayment, event: Event, now: datetime, note: str = ""
) -> PaymentRecord:
    """Write down what Blikk says, if it is news."""
    record = apply_answer(before.record, answer, now)
    if record == before.record:
        return record
    if before.record.state is not ClaimState.CREATED:
        rows.remember(rows.fingerprints.payee(record.creditor_name, before.account_fingerprint))
    detail = {"payment_id": answer.payment_id, "status": answer.status.value}
    if note:
        detail["note"] = note
    return rows.save(before, before.becomes(record), event, detail, now).record


def write_created(
    rows: Rows, key: str, attempt: int, answer: ChannelPayment, now: datetime
) -> PaymentRecord | PaymentsError:
    """Write down that Blikk created the payment; or why that cannot be, with the answer as a stray one in the history.

    The error is returned, not raised: the stray answer has to stay.

    Raises:
        PaymentNotFound: there is no such key.
    """
    before = after = rows.require(key)
    problem: PaymentsError | None = objection(before.record, ClaimState.CREATED, attempt)
    if problem is None and before.record.payment_id not in ("", answer.payment_id):
        problem = IllegalTransition("Blikk's answer has another id than this payment.", before.record)
    owner = rows.by_payment_id(answer.payment_id)
    if problem is None and owner is not None and owner.key != key:
        problem = OutcomeUnknown("Blikk answered with the id of another payment in the ledger.")
        if before.record.state is ClaimState.SENDING:
            after = before.becomes(now_unknown(before.record, now))
            rows.save(before, after, Event.UNKNOWN, {"reason": "payment_id_taken"}, now)
    if problem is None:
        return write_answer(rows, before, answer, Event.CREATED, now)
    stray = {"payment_id": answer.payment_id, "status": answer.status.value, "of_attempt": str(attempt)}
    rows.chain.append(after, {Event.STRAY_ANSWER: stray}, now)
    return problem
