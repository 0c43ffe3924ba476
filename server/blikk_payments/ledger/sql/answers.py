"""What became of a request, and what Blikk says of a payment later, written into the rows of a ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from blikk_payments.channel.wire import ChannelPayment
from blikk_payments.errors import OutcomeUnknown, PaymentsError
from blikk_payments.ledger.history import Event
from blikk_payments.ledger.sql.rows import Rows
from blikk_payments.ledger.stored import (
    StoredPayment,
    apply_answer,
    names_another_amount,
    now_stray,
    now_unknown,
    objection,
)
from blikk_payments.models import STRAY_PAYMENT, ClaimState, PaymentRecord, blikks_amount

_SETTLES = frozenset({Event.RESOLVED_CREATED, Event.RESOLVED_NOT_CREATED})
"""After these no earlier stray answer is open: a person has looked."""


def record_with_id(rows: Rows, payment_id: str, now: datetime) -> PaymentRecord | None:
    """The record with this id of Blikk's; of a stray payment its key's, in doubt and without an id or a link."""
    stored = rows.by_payment_id(payment_id)
    if stored is not None:
        return stored.record
    key = rows.chain.key_of_stray(payment_id) if payment_id else None
    return None if key is None else now_stray(rows.require(key).record, now)


def open_strays(rows: Rows) -> list[str]:
    """The keys with an answer that the record cannot take, and that no operator has settled since."""
    found: list[str] = []
    for key in rows.chain.keys_with(Event.STRAY_ANSWER):
        settled = True
        for entry in rows.chain.of(key):
            if entry.event == Event.STRAY_ANSWER:
                settled = False
            elif entry.event in _SETTLES:
                settled = True
        if not settled:
            found.append(key)
    return found


def write_answer(
    rows: Rows, before: StoredPayment, answer: ChannelPayment, event: Event, now: datetime, note: str = ""
) -> PaymentRecord:
    """Write down what Blikk says, if it is news."""
    record = apply_answer(before.record, answer, now)
    if record == before.record:
        return record
    if event is Event.SEEN and not before.record.payment_id:
        # In doubt since it was looked at: Blikk may have made two, and this is one of them.
        return before.record
    if before.record.state is not ClaimState.CREATED:
        rows.remember(rows.fingerprints.payee(record.creditor_name, before.account_fingerprint))
    if event is Event.RESOLVED_CREATED:
        # Somebody has looked, and named the right one.
        record = replace(record, warnings=tuple(one for one in record.warnings if one != STRAY_PAYMENT))
    detail = {"payment_id": answer.payment_id, "status": answer.status.value}
    if names_another_amount(before.record, answer):
        detail["blikk_says"] = " ".join(blikks_amount(record.warnings) or ())
    if note:
        detail["note"] = note
    return rows.save(before, before.ended(record), event, detail, now).record


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
    other_attempt = attempt != before.record.attempt or STRAY_PAYMENT in before.record.warnings
    if answer.payment_id != before.record.payment_id and (other_attempt or before.record.payment_id):
        # Blikk made this payment, and may have made another one for the key: no id is right any more.
        after = before.becomes(now_stray(before.record, now))
        detail = {"reason": STRAY_PAYMENT, "payment_id": before.record.payment_id}
        problem = OutcomeUnknown("Blikk may have made more than one payment for this key.")
        rows.save(before, after, Event.UNKNOWN, detail, now)
    owner = rows.by_payment_id(answer.payment_id)
    if problem is None and owner is not None and owner.key != key:
        problem = OutcomeUnknown("Blikk answered with the id of another payment in the ledger.")
        if before.record.state is not ClaimState.UNKNOWN:
            after = before.becomes(now_unknown(before.record, now))
            rows.save(before, after, Event.UNKNOWN, {"reason": "payment_id_taken"}, now)
    if problem is None:
        return write_answer(rows, before, answer, Event.CREATED, now)
    stray = {"payment_id": answer.payment_id, "status": answer.status.value, "of_attempt": str(attempt)}
    rows.chain.append(after, {Event.STRAY_ANSWER: stray}, now)
    return problem


def write_end(
    rows: Rows,
    key: str,
    attempt: int,
    step: Callable[[PaymentRecord], PaymentRecord],
    event: Event,
    detail: Mapping[str, str],
    now: datetime,
) -> PaymentRecord:
    """Write down that a request ended and no payment is known of it; said again, it changes nothing.

    Raises:
        PaymentNotFound: there is no such key.
        IllegalTransition: the record is another attempt's, or cannot take this `step`.
    """
    before = rows.require(key)
    after = before.ended(step(before.record))
    target = after.record.state
    if STRAY_PAYMENT in before.record.warnings:
        return before.record
    if before.record.state is target and before.record.attempt == attempt:
        if before.sender:
            # Somebody else gave it up. Its sender is through with it only now.
            rows.write(before, before.ended(before.record))
        return before.record
    if problem := objection(before.record, target, attempt):
        raise problem
    return rows.save(before, after, event, detail, now).record
