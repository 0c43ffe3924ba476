"""`get_payment_status`: what is known of a payment now."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from blikk_payments.channel.client import is_payment_id
from blikk_tools.arguments import IDEMPOTENCY_KEY, Arguments, Subject
from blikk_tools.result import output_schema
from blikk_tools.tool import Annotations, Call, Reply, Tool

DESCRIPTION = "Look up a payment by payment_id or by the idempotency_key it was created with. Changes nothing."


class GetPaymentStatusArguments(Arguments):
    """What `get_payment_status` takes: exactly one of the two."""

    payment_id: Annotated[str, Field(description="Give this or idempotency_key")] = ""
    idempotency_key: Annotated[str, Field(description="The key given to create_payment")] = ""

    @field_validator("payment_id")
    @classmethod
    def _payment_id(cls, value: str) -> str:
        return checked_payment_id(value) if value else value

    @field_validator("idempotency_key")
    @classmethod
    def _idempotency_key(cls, value: str) -> str:
        if value and not IDEMPOTENCY_KEY.fullmatch(value):
            raise ValueError("must be 8 to 128 of the characters A-Z a-z 0-9 . _ : -")
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> GetPaymentStatusArguments:
        if bool(self.payment_id) == bool(self.idempotency_key):
            raise ValueError("give exactly one of payment_id and idempotency_key")
        return self

    def subject(self) -> Subject:
        """The payment that is asked about."""
        return Subject(self.payment_id, self.idempotency_key)


def checked_payment_id(value: str) -> str:
    """The id, if it can be one of Blikk's.

    Raises:
        ValueError: it cannot.
    """
    if not is_payment_id(value):
        raise ValueError("is not a payment_id: 1 to 128 of the characters A-Z a-z 0-9 . _ ~ : -")
    return value


async def run(call: Call, arguments: GetPaymentStatusArguments) -> Reply:
    """Ask Blikk, unless the payment is final, and fall back to what was known before.

    Raises:
        PaymentsError: the ledger has no such key, or cannot be read.
    """
    asked = call.service.status(payment_id=arguments.payment_id, idempotency_key=arguments.idempotency_key)
    return call.reply(await asked)


TOOL = Tool(
    name="get_payment_status",
    title="Get a payment's status",
    description=DESCRIPTION,
    search_hint="was it paid, payment status; er búið að greiða, staða greiðslu",
    annotations=Annotations(read_only=True, destructive=False, idempotent=True, open_world=True),
    arguments=GetPaymentStatusArguments,
    output_schema=output_schema(),
    run=run,
)
