"""The payments that tests are about: what is asked for, what is known of it, and what Blikk says. One kit for all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from blikk_payments.channel.wire import ChannelPayment, Status
from blikk_payments.identifiers import account_key_of_bban, account_key_of_iban, mask_account
from blikk_payments.models import ClaimState, Payment, PaymentIntent, PaymentRecord
from blikk_payments.snapshot import Snapshot

KENNITALA = "5510730339"
OTHER_KENNITALA = "0101302989"
BBAN = "015926007654"
OTHER_BBAN = "051526123456"
FOREIGN_IBAN = "DE89370400440532013000"
KEY = "order-0001"
OTHER_KEY = "order-0002"
LINK = "https://bank.example/approve/1"
NEWER_LINK = "https://bank.example/approve/2"
ACCOUNT, OTHER_ACCOUNT = f"IS{BBAN}", f"IS{OTHER_BBAN}"
"""The accounts as the ledger tells them apart."""

NAME = "Kaffihúsið ehf."
FORGED_NAME = "K\u0430ffihúsið ehf."
"""Looks like the name, and has a Cyrillic letter."""

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""When every test begins: half a day remains."""


def at(seconds: float) -> datetime:
    """A time so many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def iban_of(bban: str = BBAN, holder: str = KENNITALA) -> str:
    """The Icelandic IBAN of an account and its holder."""
    remainder = int(f"{bban}{holder}182800") % 97  # I is 18, S is 28
    return f"IS{98 - remainder:02}{bban}{holder}"


IBAN = iban_of()


def an_intent(
    key: str = KEY,
    amount_isk: int = 1_000,
    *,
    iban: str = "",
    bban: str = "",
    account_key: str = "",
    ssn: str = KENNITALA,
    name: str = NAME,
    purpose: str = "",
    warnings: tuple[str, ...] = (),
    confirmed_duplicate_of: str = "",
) -> PaymentIntent:
    """A payment that nothing speaks against; to the usual account unless one is given, in whatever form."""
    if account_key:
        bban = account_key[2:]
    elif not bban:
        iban = iban or IBAN
    account_key = account_key or (account_key_of_iban(iban) if iban else account_key_of_bban(bban))
    return PaymentIntent(
        idempotency_key=key,
        amount_isk=amount_isk,
        creditor_name=name,
        creditor_ssn=ssn,
        account_key=account_key,
        masked_account=mask_account(account_key),
        creditor_iban=iban,
        creditor_bban=bban,
        purpose=purpose,
        warnings=warnings,
        confirmed_duplicate_of=confirmed_duplicate_of,
    )


def numbered(number: int, amount_isk: int = 1_000) -> PaymentIntent:
    """One of many payments that are no duplicates of each other: key and account of its own."""
    return an_intent(f"order-{number:04}", amount_isk, iban=iban_of(f"{15926007000 + number:012}"))


def lookalike(key: str = OTHER_KEY, name: str = FORGED_NAME, account_key: str = OTHER_ACCOUNT) -> PaymentIntent:
    """A payment to somebody at another account whose name looks like the usual one."""
    return an_intent(key, account_key=account_key, name=name)


def a_record(
    status: Status | None = Status.PENDING, *, state: ClaimState = ClaimState.CREATED, **fields: Any
) -> PaymentRecord:
    """What is known of one payment."""
    given: dict[str, Any] = {
        "idempotency_key": KEY,
        "state": state,
        "amount_isk": 1_000,
        "creditor_name": NAME,
        "masked_account": mask_account("IS" + BBAN),
        "claimed_at": NOON,
        "updated_at": NOON,
        "payment_id": "pay-1" if state is ClaimState.CREATED else "",
        "status": status if state is ClaimState.CREATED else None,
    }
    return PaymentRecord(**{**given, **fields})


def only_blikks(status: Status | None = Status.PENDING, **fields: Any) -> Payment:
    """What is known of a payment that is in no ledger of ours."""
    given: dict[str, Any] = {"state": ClaimState.CREATED, "updated_at": NOON, "payment_id": "pay-77", "status": status}
    return Payment(**{**given, **fields})


def record_of(snapshot: Snapshot) -> PaymentRecord:
    """The ledger's record of a payment that the service answered with."""
    assert snapshot.record is not None, "only Blikk knows this payment"
    return snapshot.record


def answer(
    status: Status = Status.DRAFT, url: str = "", *, payment_id: str = "", bank_text: str = ""
) -> ChannelPayment:
    """What Blikk says of a payment; without an id the scripted channel gives it the next one."""
    return ChannelPayment(payment_id, status, url, bank_text)
