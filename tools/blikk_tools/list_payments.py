"""`list_payments`: what the ledger knows, newest first, and how much may still be paid. Blikk is not asked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from blikk_payments.ledger.protocol import Only
from blikk_tools.arguments import Arguments
from blikk_tools.listing import ListedPayment, PaymentList, list_schema
from blikk_tools.tool import Annotations, Call, Tool

DESCRIPTION = (
    "List payments made from here, newest first, and what the limits still allow today. For an agent that lost its "
    "key or starts anew. Does not ask Blikk."
)

MOST_LISTED = 50


class ListPaymentsArguments(Arguments):
    """What `list_payments` takes."""

    only: Annotated[Literal["all", "open", "unknown", "paid", "failed"], Field(description="Which ones")] = "all"
    limit: Annotated[int, Field(ge=1, le=MOST_LISTED, description="How many at most")] = 10


async def run(call: Call, arguments: ListPaymentsArguments) -> PaymentList:
    """List what the ledger knows.

    Raises:
        PaymentsError: the ledger cannot be read.
    """
    listing = await call.service.overview.newest(Only(arguments.only), arguments.limit)
    return PaymentList(
        payments=[ListedPayment.of_record(record) for record in listing.records],
        more=listing.more,
        most_per_payment=listing.most_per_payment_isk,
        left_today=listing.left_today_isk,
        environment=call.presentation.environment,
    )


TOOL = Tool(
    name="list_payments",
    title="List payments",
    description=DESCRIPTION,
    search_hint="past payments, what was paid, what is open, limit left; greiðsluyfirlit, hvað var greitt, eftirstöðvar",
    annotations=Annotations(read_only=True, destructive=False, idempotent=True, open_world=False),
    arguments=ListPaymentsArguments,
    output_schema=list_schema(),
    run=run,
    card=False,
)
