"""The ledger: what was claimed, sent and seen, written down before money can move.

States and legal transitions are the one table `TRANSITIONS`. Every method is synchronous, commits durably before it
returns, and raises `LedgerUnavailable` when it cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from blikk_payments.channel.wire import ChannelPayment
from blikk_payments.errors import PaymentsError
from blikk_payments.models import ClaimState, Facts, PaymentIntent, PaymentRecord

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

RESOLVE_AFTER_SECONDS = 600
"""A payment that was claimed less long ago than this cannot be declared not made: Blikk may still show it."""

RESOLVED_NOT_CREATED = "resolved_not_created"
"""The `refusal_code` of a payment that an operator declared not made."""


DAMAGED = (
    "The ledger is damaged. Keep a copy of it, restore the newest backup, and compare that with Blikk's "
    "merchant portal before anything is paid again."
)

OTHER_BLIKK = (
    "The ledger holds payments of another Blikk: of another base URL. Name another one in BLIKK_LEDGER, or set "
    "BLIKK_BASE_URL to the one it is of."
)

FORGOTTEN = (
    "The ledger has forgotten payments that this process wrote down: an older copy was put in its place. "
    "Put the newest one back, then restart."
)


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


class Only(StrEnum):
    """Which payments are listed."""

    ALL = "all"
    OPEN = "open"
    """Under way, or created and not ended."""
    UNKNOWN = "unknown"
    PAID = "paid"
    FAILED = "failed"
    """Refused, or ended without payment."""


@dataclass(frozen=True, slots=True)
class Recent:
    """The newest payments, whether there are `more`, and what today's (UTC) payments take of the limit in krónur."""

    records: tuple[PaymentRecord, ...]
    more: bool
    reserved_today_isk: int


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
        """The record with this id of Blikk's. A stray payment's leads to its key's record, *unknown* and with no link."""
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

    def recent(self, only: Only = Only.ALL, *, limit: int, now: datetime) -> Recent:
        """The newest payments of that kind, newest claim first, in one read."""
        ...

    def records(self, only: Only = Only.ALL, *, newest_first: bool = False, now: datetime) -> Iterator[PaymentRecord]:
        """The records of that kind in the order of their claims, read page by page: however many, in constant memory."""
        ...

    def stray_keys(self) -> list[str]:
        """The keys for which there may be two payments: Blikk named one that the record cannot take.

        A key that the operator has resolved since is none of them.
        """
        ...

    def failed_equals(self, intent: PaymentIntent, *, since: datetime) -> tuple[PaymentRecord, ...]:
        """Equal payments (account, amount), under any key, that Blikk ended without payment since then; at most five."""
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
