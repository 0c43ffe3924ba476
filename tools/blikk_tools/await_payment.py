"""`await_payment`: wait, for a bounded time, until a payment is final or a person has to act."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, field_validator

from blikk_payments.channel.wire import NEEDS_PERSON
from blikk_payments.models import PaymentRecord
from blikk_tools.arguments import Arguments, checked, input_schema
from blikk_tools.get_payment_status import checked_payment_id
from blikk_tools.result import Result, of_snapshot, output_schema
from blikk_tools.tool import Annotations, Call, Tool

DESCRIPTION = (
    "Wait until a payment is final. Returns early when a person has to act, unless human_informed is true. "
    "When the time is up it returns the state so far: call it again."
)


class AwaitPaymentArguments(Arguments):
    """What `await_payment` takes."""

    payment_id: Annotated[str, Field(description="From create_payment")]
    wait_seconds: Annotated[int, Field(ge=0, description="How long to wait; the server has a default and a cap")] = 0
    human_informed: Annotated[bool, Field(description="True once the person has seen human_instruction")] = False

    @field_validator("payment_id")
    @classmethod
    def _payment_id(cls, value: str) -> str:
        return checked_payment_id(value)


async def run(call: Call, raw: Mapping[str, Any] | None) -> Result:
    """Wait and tell how it stands.

    Raises:
        PaymentsError: the ledger cannot be read.
    """
    arguments = checked(AwaitPaymentArguments, raw)
    call.payment_id = arguments.payment_id
    given = "wait_seconds" in arguments.model_fields_set
    seconds = min(arguments.wait_seconds if given else call.waits.default_seconds, call.waits.most_seconds)

    def stop(record: PaymentRecord) -> bool:
        return record.status in NEEDS_PERSON and not arguments.human_informed

    async def tick(gone: float, record: PaymentRecord | None) -> None:
        needs_person = record is not None and record.status in NEEDS_PERSON
        await call.progress(gone, seconds, call.presentation.waiting(needs_person))

    snapshot = await call.service.wait(arguments.payment_id, seconds=seconds, until=stop, tick=tick)
    return of_snapshot(snapshot, call.presentation)


TOOL = Tool(
    name="await_payment",
    title="Wait for a payment",
    description=DESCRIPTION,
    annotations=Annotations(read_only=True, destructive=False, idempotent=True, open_world=True),
    input_schema=input_schema(AwaitPaymentArguments),
    output_schema=output_schema(),
    run=run,
)
