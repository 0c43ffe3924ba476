"""Read from the ledger what decides whether a claim may pass: sums, counts and possible duplicates."""

from __future__ import annotations

from datetime import datetime, timedelta

from blikk_payments.ledger.sql.rows import MAX_DUPLICATES, Rows
from blikk_payments.ledger.sql.staleness import Staleness
from blikk_payments.models import ClaimState, Facts, PaymentIntent, PaymentRecord

MAX_WINDOW_MINUTES = 10 * 366 * 24 * 60
"""A longer duplicate window is taken as this one."""


def facts_of(rows: Rows, intent: PaymentIntent, window_minutes: int, now: datetime, staleness: Staleness) -> Facts:
    """The facts of this moment; nothing is written."""
    account = rows.fingerprints.account(intent)
    minutes = min(window_minutes, MAX_WINDOW_MINUTES)
    since = now - timedelta(minutes=minutes) if minutes > 0 else None
    # All is asked before anything is read.
    equal = rows.equals(account, intent.amount_isk, intent.idempotency_key, since)
    others = rows.unsettled_to(account, intent.amount_isk, intent.idempotency_key)
    reserved_isk, claims = rows.reserved_isk(now), rows.claims_last_minute(now)
    lookalike = rows.is_lookalike(rows.fingerprints.payee(intent.creditor_name, account))
    equals: dict[str, PaymentRecord] = {}
    for stored in equal():
        record = staleness.seen_as(stored, now)
        if record.state is ClaimState.UNKNOWN or (since is not None and record.claimed_at > since):
            equals[stored.key] = record
    # Those with an open outcome must not be crowded out by newer ones that a person could confirm away.
    first = sorted(equals.values(), key=lambda one: (one.state is not ClaimState.CREATED, one.claimed_at))
    shown = sorted(first[-MAX_DUPLICATES:], key=lambda one: one.claimed_at, reverse=True)
    unknown = [record for stored in others() if (record := staleness.seen_as(stored, now)).state is ClaimState.UNKNOWN]
    return Facts(
        reserved_today_isk=reserved_isk(),
        claims_last_minute=claims(),
        possible_duplicates=tuple(shown),
        unknown_to_account=tuple(unknown[:MAX_DUPLICATES]),
        lookalike=lookalike(),
    )
