"""`create_payment`: check the arguments, make one payment, tell how it stands."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from blikk_payments.channel.client import is_payment_id
from blikk_payments.identifiers import (
    account_key_of_bban,
    account_key_of_iban,
    check_text,
    holder_of_iban,
    kennitala_doubts,
    mask_account,
    parse_bban,
    parse_iban,
    parse_kennitala,
)
from blikk_payments.lookalikes import mixes_alphabets
from blikk_payments.models import PaymentIntent
from blikk_tools.arguments import IDEMPOTENCY_KEY_PATTERN, Arguments, Subject
from blikk_tools.result import output_schema
from blikk_tools.tool import Annotations, Call, Reply, Tool

DESCRIPTION = (
    "Pay a creditor in Iceland from this channel's bank account. Money moves only after a person approves at their bank, so "
    "the result says what the person must do: follow next_step. Amounts are whole krónur (ISK has no cents). "
    "Call it once per purchase; to retry, send exactly the same arguments with the same idempotency_key."
)

MAX_NAME = 70
MAX_PURPOSE = 140
LARGEST_EXACT_INTEGER = 2**53 - 1
"""What every JSON client can hold exactly; the operator's limits are far below."""


class CreatePaymentArguments(Arguments):
    """What `create_payment` takes."""

    amount: Annotated[int, Field(ge=1, description="Whole krónur: 1000 is 1,000 ISK, not 10")]
    currency: Annotated[Literal["ISK"], Field(description="Always ISK: says that amount is in krónur")]
    creditor_name: Annotated[str, Field(description="Payee's name, at most 70 characters")]
    creditor_ssn: Annotated[str, Field(description="Payee's kennitala, 10 digits")]
    creditor_iban: Annotated[str, Field(description="Payee's IBAN; preferred. Give this or creditor_bban")] = ""
    creditor_bban: Annotated[str, Field(description="Payee's account, 12 digits: bank, ledger, number")] = ""
    idempotency_key: Annotated[
        str,
        Field(
            pattern=IDEMPOTENCY_KEY_PATTERN,
            description="One purchase, one key: the same on every retry, also after an error or restart",
        ),
    ]
    purpose: Annotated[str, Field(description="What it is for: shown to the approver, never sent to the bank")] = ""
    confirmed_duplicate_of: Annotated[
        str,
        Field(
            description="payment_id named by a possible_duplicate refusal, once a person said that both are intended"
        ),
    ] = ""

    @field_validator("amount")
    @classmethod
    def _amount(cls, value: int) -> int:
        if value > LARGEST_EXACT_INTEGER:
            raise ValueError("is too large")
        return value

    @field_validator("creditor_name")
    @classmethod
    def _creditor_name(cls, value: str) -> str:
        return check_text(value, MAX_NAME)

    @field_validator("creditor_ssn")
    @classmethod
    def _creditor_ssn(cls, value: str) -> str:
        return parse_kennitala(value)

    @field_validator("creditor_iban")
    @classmethod
    def _creditor_iban(cls, value: str) -> str:
        return parse_iban(value) if value else value

    @field_validator("creditor_bban")
    @classmethod
    def _creditor_bban(cls, value: str) -> str:
        return parse_bban(value) if value else value

    @field_validator("purpose")
    @classmethod
    def _purpose(cls, value: str) -> str:
        return check_text(value, MAX_PURPOSE) if value else value

    @field_validator("confirmed_duplicate_of")
    @classmethod
    def _confirmed_duplicate_of(cls, value: str) -> str:
        if value and not is_payment_id(value):
            raise ValueError("is not a payment_id")
        return value

    @model_validator(mode="after")
    def _one_account(self) -> CreatePaymentArguments:
        if bool(self.creditor_iban) == bool(self.creditor_bban):
            raise ValueError("give exactly one of creditor_iban and creditor_bban")
        return self

    def subject(self) -> Subject:
        """The payment that is to be made."""
        return Subject(idempotency_key=self.idempotency_key, intent=self.intent())

    def intent(self) -> PaymentIntent:
        """The payment that is asked for, normalised, with what its approver should be warned of."""
        iban, bban = self.creditor_iban, self.creditor_bban
        account_key = account_key_of_iban(iban) if iban else account_key_of_bban(bban)
        holder = holder_of_iban(iban)
        warnings = {
            "holder_differs": bool(holder) and holder != self.creditor_ssn,
            "foreign_iban": not account_key.startswith("IS"),
            "kennitala_doubtful": kennitala_doubts(self.creditor_ssn),
            "mixed_alphabets": mixes_alphabets(self.creditor_name),
        }
        return PaymentIntent(
            idempotency_key=self.idempotency_key,
            amount_isk=self.amount,
            creditor_name=self.creditor_name,
            creditor_ssn=self.creditor_ssn,
            account_key=account_key,
            masked_account=mask_account(account_key),
            creditor_iban=iban,
            creditor_bban=bban,
            purpose=self.purpose,
            confirmed_duplicate_of=self.confirmed_duplicate_of,
            warnings=tuple(code for code, applies in warnings.items() if applies),
        )


async def run(call: Call, arguments: CreatePaymentArguments) -> Reply:
    """Make the payment once.

    Raises:
        PaymentsError: whatever kept it from being made; `refusal.py` turns it into a result.
    """
    return call.reply(await call.service.create(arguments.intent(), asker=call.asker))


TOOL = Tool(
    name="create_payment",
    title="Create a payment",
    description=DESCRIPTION,
    search_hint="pay a bill or invoice, transfer or send money, ISK; greiða reikning, borga, millifæra, krónur",
    annotations=Annotations(read_only=False, destructive=True, idempotent=True, open_world=True),
    arguments=CreatePaymentArguments,
    output_schema=output_schema(),
    run=run,
)
