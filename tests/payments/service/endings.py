"""Support: how a create can end, as Blikk sends it and as it is told."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest

from blikk_payments.channel.client import Timeouts
from blikk_payments.channel.errors import NotSent, Refused, Uncertain
from blikk_payments.channel.wire import Status
from blikk_payments.errors import PaymentsError
from blikk_payments.models import ClaimState
from blikk_payments.snapshot import Snapshot
from tests.payments.doubles import ServiceHarness
from tests.payments.factories import KEY, answer

PAID = answer(Status.SUCCESS)
LOST = Uncertain("The connection to Blikk failed before its answer arrived.")
CREATED_BODY = {"id": "pay-1", "status": "SUCCESS"}
SHORT = Timeouts(connect_seconds=1.0, read_seconds=0.3, create_total_seconds=1.0, read_total_seconds=1.0)
NO_PAYMENT = ClaimState.REFUSED
MAYBE = ClaimState.UNKNOWN
in_real_time = pytest.mark.parametrize("anyio_backend", ["asyncio"])


def refused(status: int) -> Refused:
    """Blikk's no."""
    return Refused(f"Blikk refused the payment (HTTP {status}).", status=status, bank_text="because")


def uncertain(status: int | None) -> Uncertain:
    """An answer that does not tell."""
    return Uncertain("Blikk's answer does not tell.", status=status, bank_text="hm")


def told(snapshot: Snapshot) -> tuple[ClaimState, str]:
    """What became of a payment, and the error code that goes with it."""
    return snapshot.payment.state, snapshot.error.code if snapshot.error else ""


def in_ledger(house: ServiceHarness, key: str = KEY) -> ClaimState | None:
    """What the ledger has under the key."""
    record = house.record(key)
    return record.state if record else None


async def code_of(create: Awaitable[Snapshot]) -> str:
    """The code of the refusal that a create ended with; `""` if it was let through."""
    try:
        await create
    except PaymentsError as error:
        return error.code
    return ""


DEFINITE: list[tuple[Exception, str]] = [
    (refused(400), "rejected_by_blikk"),
    (refused(413), "rejected_by_blikk"),
    (refused(422), "rejected_by_blikk"),
    (refused(401), "unauthorized"),
    (refused(403), "wrong_channel"),
    (refused(404), "not_found"),
    (NotSent("Blikk could not be reached; nothing was sent.", bank_text="because"), "blikk_unavailable"),
]
