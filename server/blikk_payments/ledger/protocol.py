"""The ledger: what was claimed, sent and seen, written down before money can move.

States and legal transitions are the one table `TRANSITIONS`. Every method is synchronous, commits durably before it
returns (within `together`: at its end), and raises `LedgerUnavailable` when it cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from blikk_payments.channel.wire import ChannelPayment
from blikk_payments.errors import PaymentsError
from blikk_payments.models import ClaimState, Facts, PaymentIntent, PaymentRecord

T = TypeVar("T")

TRANSITIONS: Mapping[ClaimState, frozenset[ClaimState]] = {
    ClaimState.CLAIMED: frozenset({ClaimState.SENDING}),
    ClaimState.SENDING: frozenset({ClaimState.CREATED, ClaimState.REFUSED, ClaimState.UNKNOWN}),
    # A lost answer can still arrive late, and an operator can find out: nothing else leaves `unknown`.
    ClaimState.UNKNOWN: frozenset({ClaimState.CREATED, ClaimState.REFUSED}),
    # A definite refusal frees the key: it may be claimed again, with the same or corrected arguments.
    # Where only an operator said "not created", the sender's own late answer is better knowledge: *created*.
    ClaimState.REFUSED: frozenset({ClaimState.CLAIMED, ClaimState.CREATED}),
    ClaimState.CREATED: frozenset({ClaimState.CREATED}),
}
"""From each state, the states that may follow."""

SENDING_LIMIT_SECONDS = 30
"""A claim that has been *sending* for this long is *unknown*, whatever became of its process."""

RESOLVED_NOT_CREATED = "resolved_not_created"
"""The `refusal_code` of a payment that an operator declared not made."""


class IllegalTransition(PaymentsError):
    """This event cannot follow what is known already; `record` is what is known, unchanged."""

    def __init__(self, message: str, record: PaymentRecord) -> None:
        super().__init__(message)
        self.record = record


@dataclass(frozen=True, slots=True)
class Claim:
    """The answer to a claim: `fresh` if this call owns the send, else the record of the earlier claim with this key."""

    record: PaymentRecord
    fresh: bool


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One transition, append-only. `hash` covers this row and the hash of the row before it."""

    sequence: int
    idempotency_key: str
    at: datetime
    event: str
    detail: Mapping[str, str]
    hash: str


class Ledger(Protocol):
    """Where payments are written down. One file (or database) holds one Blikk environment."""

    def together(self) -> AbstractContextManager[None]:
        """Calls that this thread makes within share one durable commit, at the end: before it, none of them counts.

        A call that raises undoes itself alone. No byte may go out, and nobody be told anything, for a call in here
        before the end.

        Raises:
            LedgerUnavailable: at the end; nothing of what they wrote is kept.
        """
        ...

    def at_once(self, call: Callable[[], T], /) -> T:
        """Make a call of this ledger's without waiting for another one, for a lock, or for the ledger to be opened.

        Raises:
            WouldWait: it would have waited. Nothing of it was done: it can be made again, in the ordinary way.
        """
        ...

    def claim(
        self, intent: PaymentIntent, decide: Callable[[Facts], None], *, window_minutes: int, now: datetime
    ) -> Claim:
        """Claim the key and mark it *sending*, in one transaction with `decide`; what `decide` raises undoes it all.

        A key that is claimed already is answered with its record, `fresh` false, without asking `decide`; unless it
        was definitely refused: then it is claimed again.

        Raises:
            IdempotencyConflict: the key belongs to another payment (amount, account or kennitala differ).
        """
        ...

    def facts(self, intent: PaymentIntent, *, window_minutes: int, now: datetime) -> Facts:
        """The facts a claim would be decided on now. Read only; nothing is reserved."""
        ...

    def find_key(self, intent: PaymentIntent, *, now: datetime) -> PaymentRecord | None:
        """The record that a claim with this intent would be answered with, or None if it would be a fresh claim.

        Raises:
            IdempotencyConflict: as `claim`.
        """
        ...

    def by_key(self, idempotency_key: str, *, now: datetime) -> PaymentRecord | None:
        """The record under this key. A *sending* one whose process is gone, or is 30 s old, is marked *unknown* first."""
        ...

    def by_payment_id(self, payment_id: str, *, now: datetime) -> PaymentRecord | None:
        """The record with this id of Blikk's."""
        ...

    def created(self, idempotency_key: str, attempt: int, answer: ChannelPayment, *, now: datetime) -> PaymentRecord:
        """Write down that Blikk created the payment. Also from *unknown*: a late answer is still the truth.

        Raises:
            OutcomeUnknown: another record has that id already; this one is *unknown* now. Two are never one.
            IllegalTransition: the record is another attempt's, or has another id. The history keeps it.
            PaymentNotFound: there is no such key (as for every method below that takes one).
        """
        ...

    def refused(self, idempotency_key: str, attempt: int, *, code: str, bank_text: str, now: datetime) -> PaymentRecord:
        """Write down that the payment was definitely not made. Said again, it changes nothing.

        Raises:
            IllegalTransition: the record is another attempt's, or *created*.
        """
        ...

    def unknown(self, idempotency_key: str, attempt: int, *, reason: str, now: datetime) -> PaymentRecord:
        """Write down that the outcome is not known. Said again, it changes nothing.

        Raises:
            IllegalTransition: the record is another attempt's, or its outcome is known.
        """
        ...

    def seen(self, answer: ChannelPayment, *, now: datetime) -> PaymentRecord | None:
        """Write down what Blikk says of a payment now; None if the ledger does not know its id.

        A terminal status never changes again. The newest non-empty link wins; at SCA_REQUIRED without a link the old
        one is void. Nothing is written when nothing changed.
        """
        ...

    def resolve_created(
        self, idempotency_key: str, answer: ChannelPayment, *, note: str, now: datetime
    ) -> PaymentRecord:
        """The operator found the payment: *unknown* becomes *created*.

        Raises:
            IllegalTransition: the record is not *unknown*, or the id is another record's.
        """
        ...

    def resolve_not_created(self, idempotency_key: str, *, note: str, now: datetime) -> PaymentRecord:
        """The operator found that there is no payment: *unknown* becomes *refused*; its room is given back.

        Raises:
            IllegalTransition: the record is not *unknown*.
        """
        ...

    def records(self, *, now: datetime) -> Iterator[PaymentRecord]:
        """Every record, oldest first."""
        ...

    def history(self, idempotency_key: str) -> list[HistoryEntry]:
        """Every transition of one payment, oldest first."""
        ...

    def verify(self) -> list[str]:
        """What does not add up: a sentence for each broken link and each record that differs from its history."""
        ...

    def prune(self, *, before: datetime, now: datetime) -> int:
        """Forget names, purposes, links and bank texts of payments that ended before that time; the count.

        Keys, ids, amounts and history stay: a key that was paid must never pay again.
        """
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...
