"""A payment as a ledger stores it, and what each event makes of it. Pure: no engine, no clock, no I/O.

Kennitala and account are kept as keyed fingerprints only: enough to tell whether two payments are equal. So are the
names of payees, once more, to tell whether two look alike. The key lies in the same ledger, so this keeps them out of
sight and out of exports, not from somebody who has the file and the time to try every kennitala.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from blikk_payments.channel.wire import NEEDS_PERSON, ChannelPayment
from blikk_payments.errors import IdempotencyConflict
from blikk_payments.ledger.history import digest
from blikk_payments.ledger.protocol import (
    RESOLVED_NOT_CREATED,
    SENDING_LIMIT_SECONDS,
    TRANSITIONS,
    IllegalTransition,
)
from blikk_payments.lookalikes import skeleton, spelling
from blikk_payments.models import ClaimState, PaymentIntent, PaymentRecord

NAMES_AT_HAND = 16
"""Payees whose names need not be looked at letter by letter again: a payment's claim is soon followed by its outcome."""


class StoredPayment(NamedTuple):
    """A record with what only the ledger needs: fingerprints of account and kennitala, and who sends it."""

    record: PaymentRecord
    account_fingerprint: str
    ssn_fingerprint: str
    sender: str

    @property
    def key(self) -> str:
        """The idempotency key."""
        return self.record.idempotency_key

    @property
    def digest(self) -> str:
        """SHA-256 over everything that money depends on, and over the link a person is sent to."""
        record = self.record
        return digest(
            [
                record.idempotency_key,
                record.state.value,
                record.status.value if record.status else "",
                record.payment_id,
                record.amount_isk,
                self.account_fingerprint,
                self.ssn_fingerprint,
                record.attempt,
                utc_text(record.claimed_at),
                record.approval_url,
            ]
        )

    def tallies(self) -> dict[str, tuple[int, int]]:
        """What this payment adds to its second (payments let through) and its day (krónur reserved)."""
        if self.record.state is ClaimState.REFUSED:
            return {}
        second = utc_text(self.record.claimed_at)[:19]
        reserved = 0 if self.record.failed else self.record.amount_isk
        return {second: (1, 0), second[:10]: (0, reserved)}

    def becomes(self, record: PaymentRecord) -> StoredPayment:
        """The same payment with a newer record."""
        return self._replace(record=record)


@dataclass(frozen=True, slots=True)
class Payee:
    """Who was paid, as fingerprints: what the name looks like, the account, and how the name is spelled."""

    look: str
    account: str
    spelling: str


class Fingerprints:
    """Makes fingerprints with one ledger's own random key."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        # They are copied for each text: to set up the key costs far more than the rest.
        self._account = hmac.new(key, b"account:", "sha256")
        self._ssn = hmac.new(key, b"ssn:", "sha256")
        self._name = lru_cache(NAMES_AT_HAND)(self._name_afresh)

    def account(self, intent: PaymentIntent) -> str:
        """HMAC-SHA256 of the creditor's account."""
        return _ended_with(self._account, intent.account_key)

    def ssn(self, intent: PaymentIntent) -> str:
        """HMAC-SHA256 of the creditor's kennitala."""
        return _ended_with(self._ssn, intent.creditor_ssn)

    def payee(self, creditor_name: str, account_fingerprint: str) -> Payee:
        """Keyed BLAKE2b of the name's look and of its spelling, beside the account's fingerprint."""
        look, spelled = self._name(creditor_name)
        return Payee(look, account_fingerprint, spelled)

    def sending(
        self,
        intent: PaymentIntent,
        account_fingerprint: str,
        warnings: tuple[str, ...],
        earlier: StoredPayment | None,
        sender: str,
        now: datetime,
    ) -> StoredPayment:
        """A new claim, ready to be sent; after an `earlier` refused one the next attempt, with these arguments."""
        record = PaymentRecord(
            idempotency_key=intent.idempotency_key,
            state=ClaimState.SENDING,
            amount_isk=intent.amount_isk,
            creditor_name=intent.creditor_name,
            masked_account=intent.masked_account,
            claimed_at=now,
            updated_at=now,
            attempt=earlier.record.attempt + 1 if earlier else 1,
            purpose=intent.purpose,
            warnings=warnings,
        )
        return StoredPayment(record, account_fingerprint, self.ssn(intent), sender)

    def require_same(self, stored: StoredPayment, intent: PaymentIntent) -> None:
        """Amount, account and kennitala decide whether it is the same payment; name and purpose do not.

        Raises:
            IdempotencyConflict: it is another payment.
        """
        same = (
            stored.record.amount_isk == intent.amount_isk
            and hmac.compare_digest(stored.account_fingerprint, self.account(intent))
            and hmac.compare_digest(stored.ssn_fingerprint, self.ssn(intent))
        )
        if not same:
            raise IdempotencyConflict(
                "This idempotency key belongs to another payment: amount, account or kennitala differ. "
                "Nothing was sent."
            )

    def _name_afresh(self, name: str) -> tuple[str, str]:
        look = blake2b(skeleton(name).encode(), key=self.key, person=b"look", digest_size=32)
        spelled = blake2b(spelling(name).encode(), key=self.key, person=b"spelling", digest_size=32)
        return look.hexdigest(), spelled.hexdigest()


def _ended_with(begun: hmac.HMAC, text: str) -> str:
    """The MAC of what `begun` has seen so far, and this text after it."""
    whole = begun.copy()
    whole.update(text.encode())
    return whole.hexdigest()


@lru_cache(maxsize=128)
def utc_text(at: datetime) -> str:
    """A time as UTC text of fixed width, so that the order of texts is the order of times."""
    if at.tzinfo is None:
        raise ValueError("a time in the ledger needs a time zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def stale_reason(stored: StoredPayment, now: datetime, is_gone: Callable[[str], bool]) -> str:
    """Why nobody will finish this *sending*; `""` if somebody may, or if it is not *sending*."""
    if stored.record.state is not ClaimState.SENDING:
        return ""
    if now - stored.record.claimed_at >= timedelta(seconds=SENDING_LIMIT_SECONDS):
        return "sending_too_long"
    return "sender_gone" if is_gone(stored.sender) else ""


def now_unknown(record: PaymentRecord, now: datetime) -> PaymentRecord:
    """The record once nobody can tell what became of it."""
    return record._replace(state=ClaimState.UNKNOWN, updated_at=now)


def now_refused(record: PaymentRecord, code: str, bank_text: str, now: datetime) -> PaymentRecord:
    """The record once it is definite that no payment was made."""
    return record._replace(state=ClaimState.REFUSED, refusal_code=code, bank_text=bank_text, updated_at=now)


def with_answer(record: PaymentRecord, answer: ChannelPayment, now: datetime) -> PaymentRecord:
    """The record once Blikk said this of it; the very same object if that is no news.

    A terminal status never changes. The newest non-empty link wins; where a person has to act and there is no
    link, an older one is void (Blikk's sister API: the bank pushes the approval to its app).
    """
    if record.final:
        return record
    url, url_at = record.approval_url, record.approval_url_at
    if answer.redirect_url and answer.redirect_url != url:
        url, url_at = answer.redirect_url, now
    elif not answer.redirect_url and answer.status in NEEDS_PERSON:
        url, url_at = "", None
    answered = record._replace(
        state=ClaimState.CREATED,
        payment_id=answer.payment_id,
        status=answer.status,
        approval_url=url,
        approval_url_at=url_at,
        refusal_code="",
        bank_text=answer.bank_text or record.bank_text,
    )
    return record if answered == record else answered._replace(updated_at=now)


def objection(record: PaymentRecord, target: ClaimState, attempt: int | None = None) -> IllegalTransition | None:
    """Why this record cannot take that step, or None if it can. `attempt` is whose answer it is, if any."""
    if attempt is not None and attempt != record.attempt:
        return IllegalTransition(
            f"This is the outcome of attempt {attempt}, and the key is at attempt {record.attempt}.", record
        )
    legal = target in TRANSITIONS[record.state]
    if record.state is ClaimState.REFUSED and target is ClaimState.CREATED:
        legal = record.refusal_code == RESOLVED_NOT_CREATED
    if legal:
        return None
    return IllegalTransition(f"A payment that is {record.state} cannot become {target}.", record)
