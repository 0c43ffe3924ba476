"""A payment as a ledger stores it, and what each event makes of it. Pure: no engine, no clock, no I/O.

Kennitala and account are kept as keyed fingerprints only: enough to tell whether two payments are equal. So are the
names of payees, once more, to tell whether two look alike. The key lies in the same ledger, so this keeps them out of
sight and out of exports, not from somebody who has the file and the time to try every kennitala.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TypeVar

from blikk_payments.channel.wire import FAILED, NEEDS_PERSON, ChannelPayment, Status
from blikk_payments.errors import IdempotencyConflict
from blikk_payments.ledger.history import digest
from blikk_payments.ledger.protocol import (
    RESOLVE_AFTER_SECONDS,
    RESOLVED_NOT_CREATED,
    TRANSITIONS,
    IllegalTransition,
)
from blikk_payments.lookalikes import skeleton, spelling
from blikk_payments.models import (
    OTHER_AMOUNT,
    STRAY_PAYMENT,
    ClaimState,
    Payment,
    PaymentIntent,
    PaymentRecord,
    blikks_amount,
    other_amount,
)

Known = TypeVar("Known", bound=Payment)


@dataclass(frozen=True, slots=True)
class StoredPayment:
    """A record with what only the ledger needs: fingerprints of account and kennitala, who sends it, and for which claim.

    `claim_token` is one claim's own: the call that made it may send, even if the answer to its commit was lost.
    """

    record: PaymentRecord
    account_fingerprint: str
    ssn_fingerprint: str
    sender: str
    claim_token: str = ""

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

    @property
    def day(self) -> str:
        """The UTC day on which this payment counts."""
        return utc_text(self.record.claimed_at)[:10]

    def reserved_isk(self) -> int:
        """What this payment takes of its day's room, in krónur: open, paid and unknown ones do, failed ones do not."""
        return 0 if self.record.failed else self.record.amount_isk

    def becomes(self, record: PaymentRecord) -> StoredPayment:
        """The same payment with a newer record."""
        return replace(self, record=record)

    def ended(self, record: PaymentRecord) -> StoredPayment:
        """The same payment once its sender has said what became of it: nobody is sending it any more."""
        return replace(self, record=record, sender="")


@dataclass(frozen=True, slots=True)
class Payee:
    """Who was paid, as fingerprints: what the name looks like, the account, and how the name is spelled."""

    skeleton_hash: str
    account: str
    spelling: str


class Fingerprints:
    """Makes fingerprints with one ledger's own random key."""

    def __init__(self, key: bytes) -> None:
        self.key = key

    def account(self, intent: PaymentIntent) -> str:
        """HMAC-SHA256 of the creditor's account."""
        return self._mac("account", intent.account_key)

    def ssn(self, intent: PaymentIntent) -> str:
        """HMAC-SHA256 of the creditor's kennitala."""
        return self._mac("ssn", intent.creditor_ssn)

    def payee(self, creditor_name: str, account_fingerprint: str) -> Payee:
        """Keyed BLAKE2b of the name's look and of its spelling, beside the account's fingerprint."""
        look = blake2b(skeleton(creditor_name).encode(), key=self.key, person=b"look", digest_size=32)
        spelled = blake2b(spelling(creditor_name).encode(), key=self.key, person=b"spelling", digest_size=32)
        return Payee(look.hexdigest(), account_fingerprint, spelled.hexdigest())

    def sending(
        self,
        intent: PaymentIntent,
        account_fingerprint: str,
        warnings: tuple[str, ...],
        earlier: StoredPayment | None,
        sender: str,
        claim_token: str,
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
        return StoredPayment(record, account_fingerprint, self.ssn(intent), sender, claim_token)

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

    def _mac(self, purpose: str, text: str) -> str:
        return hmac.new(self.key, f"{purpose}:{text}".encode(), "sha256").hexdigest()


def utc_text(at: datetime) -> str:
    """A time as UTC text of fixed width, so that the order of texts is the order of times."""
    if at.tzinfo is None:
        raise ValueError("a time in the ledger needs a time zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def now_unknown(record: PaymentRecord, now: datetime) -> PaymentRecord:
    """The record once nobody can tell what became of it."""
    return replace(record, state=ClaimState.UNKNOWN, updated_at=now)


def now_refused(record: PaymentRecord, code: str, bank_text: str, now: datetime) -> PaymentRecord:
    """The record once it is definite that no payment was made."""
    return replace(record, state=ClaimState.REFUSED, refusal_code=code, bank_text=bank_text, updated_at=now)


def apply_answer(payment: Known, answer: ChannelPayment, now: datetime) -> Known:
    """The payment once Blikk said this of it; equal to it if that is no news.

    SUCCESS never changes, and a failure only to SUCCESS. The newest non-empty link wins; where a person has to act and
    there is no link, an older one is void (Blikk's sister API: the bank pushes the approval to its app). Where
    Blikk names another amount than was asked for there is no link: nobody is to approve that.
    """
    if payment.status is Status.SUCCESS or (payment.status in FAILED and answer.status is not Status.SUCCESS):
        return payment
    url, url_at = payment.approval_url, payment.approval_url_at
    if answer.redirect_url and answer.redirect_url != url:
        url, url_at = answer.redirect_url, now
    elif not answer.redirect_url and answer.status in NEEDS_PERSON:
        url, url_at = "", None
    warnings = payment.warnings
    if names_another_amount(payment, answer):
        others = (warning for warning in warnings if not warning.startswith(OTHER_AMOUNT))
        said = payment.asked_isk if answer.amount_isk is None else answer.amount_isk
        warnings = (*others, other_amount(said, answer.currency or "ISK"))
    if blikks_amount(warnings):
        url, url_at = "", None
    answered = replace(
        payment,
        warnings=warnings,
        state=ClaimState.CREATED,
        payment_id=answer.payment_id,
        status=answer.status,
        approval_url=url,
        approval_url_at=url_at,
        refusal_code="",
        bank_text=answer.bank_text or payment.bank_text,
    )
    return payment if answered == payment else replace(answered, updated_at=now)


def names_another_amount(payment: Payment, answer: ChannelPayment) -> bool:
    """Whether Blikk's amount or currency is not what was asked for. What it leaves out is as asked."""
    amount_differs = payment.asked_isk is not None and answer.amount_isk not in (None, payment.asked_isk)
    return amount_differs or answer.currency not in ("", "ISK")


def now_stray(record: PaymentRecord, now: datetime) -> PaymentRecord:
    """The record once Blikk may have made more than one payment for its key: no id, no link and no status is its own."""
    warnings = record.warnings if STRAY_PAYMENT in record.warnings else (*record.warnings, STRAY_PAYMENT)
    blank = replace(record, payment_id="", status=None, approval_url="", approval_url_at=None, refusal_code="")
    return replace(blank, state=ClaimState.UNKNOWN, warnings=warnings, updated_at=now)


def too_early(stored: StoredPayment, now: datetime, lives: Callable[[str], bool]) -> str:
    """Why nobody can say yet that this payment was not made; `""` if it can be said."""
    if STRAY_PAYMENT in stored.record.warnings:
        return "Blikk answered for it more than once, so there is a payment: name the right one with --created."
    if (now - stored.record.claimed_at).total_seconds() < RESOLVE_AFTER_SECONDS:
        return f"It was sent less than {RESOLVE_AFTER_SECONDS // 60} minutes ago: Blikk may still show it. Look again then."
    if stored.sender and lives(stored.sender):
        return "The process that sent it has not ended, and may still send it. End that process first."
    return ""


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
