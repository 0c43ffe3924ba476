"""The limits of a payment, a day and a minute, and who gets the last room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from blikk_payments.channel.errors import NotSent
from blikk_payments.channel.wire import Status
from blikk_payments.models import PaymentIntent
from blikk_payments.service import PaymentService
from tests.payments.doubles import ScriptedChannel, Step, paying, virtual_now
from tests.payments.factories import NOON, an_intent, answer, numbered
from tests.payments.service.endings import LOST, PAID, code_of, in_ledger, in_real_time, refused

pytestmark = pytest.mark.anyio


async def test_a_payment_above_the_limit_leaves_no_trace(tmp_path: Path) -> None:
    """over_limit: nothing is sent, nothing is claimed, and the key stays free."""
    async with paying(tmp_path, max_amount_isk=1_000) as house:
        assert await code_of(house.service.create(an_intent(amount_isk=1_001))) == "over_limit"
        assert (house.posts, in_ledger(house)) == (0, None)
        assert await code_of(house.service.create(an_intent(amount_isk=1_000))) == ""


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        (PAID, True),
        (answer(Status.DRAFT), True),
        (answer(Status.PENDING), True),
        (answer(Status.SCA_REQUIRED), True),
        (answer(Status.OTHER), True),
        (LOST, True),
        (answer(Status.REJECTED), False),
        (answer(Status.CANCELLED), False),
        (answer(Status.ERROR), False),
        (refused(422), False),
        (NotSent("not sent"), False),
    ],
    ids=[
        "paid",
        "draft",
        "pending",
        "sca",
        "other",
        "unknown",
        "rejected",
        "cancelled",
        "error",
        "refused",
        "not sent",
    ],
)
async def test_open_paid_and_unknown_payments_take_room_and_failed_ones_give_it_back(
    tmp_path: Path, said: Step, counts: bool
) -> None:
    """Limits: open, paid and unknown payments count; failed and refused ones give their room back."""
    async with paying(tmp_path, said, daily_limit_isk=10_000) as house:
        await house.service.create(numbered(1, 6_000))
        assert await code_of(house.service.create(numbered(2, 4_001))) == ("over_limit" if counts else "")
        assert await code_of(house.service.create(numbered(3, 4_000))) == ""


async def test_a_payment_that_fails_later_gives_its_room_back_then(tmp_path: Path) -> None:
    """Failed ones give their room back: also those that were open before."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED), daily_limit_isk=10_000) as house:
        await house.service.create(numbered(1, 10_000))
        assert await code_of(house.service.create(numbered(2, 1))) == "over_limit"
        house.channel.tell("pay-1", Status.REJECTED)
        await house.service.status(payment_id="pay-1")
        assert await code_of(house.service.create(numbered(2, 10_000))) == ""


async def test_what_an_operator_found_not_to_exist_gives_its_room_back(tmp_path: Path) -> None:
    """Its reservation counts until it is resolved."""
    async with paying(tmp_path, LOST, daily_limit_isk=10_000) as house:
        await house.service.create(numbered(1, 10_000))
        await anyio.sleep(600)
        house.ledger.resolve_not_created("order-0001", note="", now=virtual_now())
        assert await code_of(house.service.create(numbered(2, 10_000))) == ""


async def test_a_day_ends_at_midnight_utc_and_a_payment_counts_on_the_day_it_was_created(tmp_path: Path) -> None:
    """A day is a UTC day, which is Iceland's; a payment of yesterday that is still open takes no room today."""
    async with paying(tmp_path, answer(Status.SCA_REQUIRED), daily_limit_isk=10_000) as house:
        await house.service.create(numbered(1, 10_000))
        await anyio.sleep(12 * 3600 - 1)
        assert virtual_now().date() == NOON.date()
        assert await code_of(house.service.create(numbered(2, 1))) == "over_limit"
        await anyio.sleep(1)
        assert await code_of(house.service.create(numbered(2, 10_000))) == ""
        house.channel.tell("pay-1", Status.REJECTED)
        await house.service.status(payment_id="pay-1")
        assert await code_of(house.service.create(numbered(3, 1))) == "over_limit"


async def test_more_payments_than_the_rate_allows_are_held_back_for_a_minute(tmp_path: Path) -> None:
    """BLIKK_CREATES_PER_MINUTE: stops a runaway agent; replays and refusals do not count."""
    rules: dict[str, Any] = {"creates_per_minute": 3, "max_amount_isk": 1_000}
    async with paying(tmp_path, refused(400), PAID, LOST, PAID, PAID, **rules) as house:
        codes = [await code_of(house.service.create(numbered(number))) for number in (1, 2, 3)]
        await house.service.create(numbered(2))
        codes.append(await code_of(house.service.create(numbered(4, 1_001))))
        codes.append(await code_of(house.service.create(numbered(4))))
        codes.append(await code_of(house.service.create(numbered(5))))
        assert codes == ["", "", "", "over_limit", "", "rate_limited"]
        assert (await house.service.create(numbered(2))).replayed
        await anyio.sleep(59)
        assert await code_of(house.service.create(numbered(5))) == "rate_limited"
        await anyio.sleep(1)
        assert await code_of(house.service.create(numbered(5))) == ""


@in_real_time
async def test_forty_creates_that_race_for_the_last_room_are_never_over_the_limit(tmp_path: Path) -> None:
    """One transaction checks the limits and reserves the amount; separately, two calls could both pass."""
    rules: dict[str, Any] = {"daily_limit_isk": 10_500, "creates_per_minute": 1_000}
    channel = ScriptedChannel(*([PAID] * 40))
    codes: list[str] = []
    async with (
        paying(tmp_path, channel=channel, real_time=True, **rules) as one,
        paying(tmp_path, channel=channel, real_time=True, **rules) as other,
    ):

        async def create(service: PaymentService, intent: PaymentIntent) -> None:
            codes.append(await code_of(service.create(intent)))

        async with anyio.create_task_group() as tasks:
            for number in range(40):
                tasks.start_soon(create, (one, other)[number % 2].service, numbered(number))
    assert (codes.count(""), codes.count("over_limit")) == (10, 30)
    assert sum(order.amount_isk for order in channel.orders) == 10_000


@in_real_time
async def test_creates_that_race_for_the_last_place_in_a_minute_are_never_over_the_rate(tmp_path: Path) -> None:
    """The rate is checked in the same transaction."""
    codes: list[str] = []
    async with paying(tmp_path, *([PAID] * 12), real_time=True, creates_per_minute=5) as house:

        async def create(number: int) -> None:
            codes.append(await code_of(house.service.create(numbered(number))))

        async with anyio.create_task_group() as tasks:
            for number in range(12):
                tasks.start_soon(create, number)
        assert codes.count("") == 5
        assert codes.count("rate_limited") == 7
        assert house.posts == 5
