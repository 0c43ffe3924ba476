"""What goes over the wire, typed: the order we send and the payment Blikk answers with.

Source of the facts: https://docs.blikk.tech/docs/paymentchannel (statuses, `creditor.iban` preferred, `debtorBban` only
for a channel without an account); field names of the strict body as a public integrator sends them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from blikk_payments.channel.deadline import Deadline


class Status(StrEnum):
    """Blikk's word for where a payment stands; `OTHER` for every word we do not know."""

    DRAFT = "DRAFT"
    PENDING = "PENDING"
    SCA_REQUIRED = "SCA_REQUIRED"
    SCA_COMPLETE = "SCA_COMPLETE"
    USER_ONBOARDING_REQUIRED = "USER_ONBOARDING_REQUIRED"
    SUCCESS = "SUCCESS"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    ERROR = "ERROR"
    OTHER = "OTHER"

    @classmethod
    def _missing_(cls, value: object) -> Status:
        return cls.OTHER


FAILED = frozenset({Status.CANCELLED, Status.REJECTED, Status.ERROR})
"""Terminal: Blikk says that the payment ended and no money moved."""

TERMINAL = FAILED | {Status.SUCCESS}
"""Terminal: the payment's status never changes again."""

NEEDS_PERSON = frozenset({Status.SCA_REQUIRED, Status.USER_ONBOARDING_REQUIRED})
"""A person has to act before the payment goes on."""


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """One payment as Blikk's `POST /payment` takes it. `amount_isk` is whole krónur; exactly one of IBAN and BBAN is set.

    After its `deadline` it may not begin to leave.
    """

    amount_isk: int
    creditor_name: str
    creditor_ssn: str
    creditor_iban: str = ""
    creditor_bban: str = ""
    sca_user_ssn: str = ""
    debtor_bban: str = ""
    deadline: Deadline | None = field(default=None, compare=False, repr=False)

    def body(self) -> dict[str, Any]:
        """The strict JSON body: exact names, nothing empty, nothing more (one unknown field and Blikk refuses it all)."""
        account = {"iban": self.creditor_iban} if self.creditor_iban else {"bban": self.creditor_bban}
        body: dict[str, Any] = {
            "amount": self.amount_isk,
            "currency": "ISK",
            "creditor": {"ssn": self.creditor_ssn, "name": self.creditor_name, **account},
        }
        if self.sca_user_ssn:
            body["scaUserSsn"] = self.sca_user_ssn
        if self.debtor_bban:
            body["debtorBban"] = self.debtor_bban
        return body


@dataclass(frozen=True, slots=True)
class ChannelPayment:
    """A payment as Blikk answered it.

    `redirect_url` is raw and unchecked (`""` if absent); `bank_text` is already cleaned; `amount_isk` and `currency`
    are what the answer said, if it said so: the amount is a Decimal where it is not whole krónur.
    """

    payment_id: str
    status: Status
    redirect_url: str = ""
    bank_text: str = ""
    amount_isk: int | Decimal | None = None
    currency: str = ""
