"""Decide when a payment that is *sending* becomes *unknown*, because nobody will finish it."""

from __future__ import annotations

from datetime import datetime, timedelta

from blikk_payments.ledger.history import Event
from blikk_payments.ledger.processes import is_gone
from blikk_payments.ledger.protocol import SENDING_LIMIT_SECONDS, IllegalTransition
from blikk_payments.ledger.sql.rows import Rows
from blikk_payments.ledger.stored import StoredPayment, now_unknown
from blikk_payments.models import ClaimState, PaymentRecord

LIMIT = timedelta(seconds=SENDING_LIMIT_SECONDS)

MAX_WATCHED = 1_000
"""How many claims that are dated ahead are remembered; beyond that their own date has to be waited for."""


class Staleness:
    """Judges *sending* payments by their process and their age, for the process with this token (`sender`).

    A claim that is dated ahead was made by a clock ahead of ours, or ours was put back: of such a one the age counts
    from when it was first looked at, by our own clock.
    """

    def __init__(self, sender: str) -> None:
        self._sender = sender
        self._first_looks: dict[tuple[str, int], datetime] = {}

    def reason(self, stored: StoredPayment, now: datetime) -> str:
        """Why nobody will finish this *sending*; `""` if somebody may, or if it is not *sending*."""
        record = stored.record
        if record.state is not ClaimState.SENDING:
            return ""
        began = record.claimed_at
        if began > now:
            began = self._first_look(record, now)
        if now - began >= LIMIT:
            return "sending_too_long"
        return "sender_gone" if stored.sender != self._sender and is_gone(stored.sender) else ""

    def seen_as(self, stored: StoredPayment, now: datetime) -> PaymentRecord:
        """The record, *unknown* if nobody will finish it, without writing that down."""
        return now_unknown(stored.record, now) if self.reason(stored, now) else stored.record

    def mark(self, rows: Rows, stored: StoredPayment, now: datetime) -> StoredPayment:
        """The payment, written down as *unknown* if nobody will finish it."""
        reason = self.reason(stored, now)
        if not reason:
            return stored
        after = stored.becomes(now_unknown(stored.record, now))
        return rows.save(stored, after, Event.UNKNOWN, {"reason": reason}, now)

    def require_unknown(self, rows: Rows, key: str, now: datetime) -> StoredPayment:
        """The payment of this key, whose outcome an operator may tell.

        Raises:
            IllegalTransition: its outcome is known, or may still come.
        """
        stored = self.mark(rows, rows.require(key), now)
        if stored.record.state is not ClaimState.UNKNOWN:
            raise IllegalTransition("Only payments with an unknown outcome can be resolved.", stored.record)
        return stored

    def _first_look(self, record: PaymentRecord, now: datetime) -> datetime:
        claim = (record.idempotency_key, record.attempt)
        # Our own clock may have been put back since: then it counts from now.
        first = min(self._first_looks.get(claim, now), now)
        if claim in self._first_looks or len(self._first_looks) < MAX_WATCHED:
            self._first_looks[claim] = first
        return first
