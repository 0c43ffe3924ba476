"""What Blikk says later than expected, or otherwise than asked: a success after a failure, another amount."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from blikk_payments.channel.wire import Status
from blikk_payments.models import blikks_amount, other_amount
from blikk_payments.snapshot import Snapshot
from tests.expecting import assert_snapshot
from tests.payments.doubles import never, paying, unread
from tests.payments.factories import KEY, LINK, OTHER_KEY, an_intent, answer, numbered
from tests.payments.service.endings import PAID, code_of

pytestmark = pytest.mark.anyio


async def test_a_failure_is_read_again_for_a_quarter_of_an_hour_and_a_late_success_told(tmp_path: Path) -> None:
    """A SUCCESS can come after a failure was said; after that, the failure stands."""
    async with paying(tmp_path, answer(Status.ERROR), answer(Status.ERROR)) as house:
        await house.service.create(numbered(1))
        await house.service.create(numbered(2))
        house.channel.tell("pay-1", Status.SUCCESS)
        house.channel.tell("pay-2", Status.SUCCESS)
        assert (await house.service.status(payment_id="pay-1")).payment.status is Status.SUCCESS
        await anyio.sleep(901)
        assert (await house.service.status(payment_id="pay-2")).payment.status is Status.ERROR


@pytest.mark.parametrize("asked", ["create", "wait", "key"])
async def test_every_way_to_ask_notices_a_late_success(tmp_path: Path, asked: str) -> None:
    """Status, wait and replay alike."""
    async with paying(tmp_path, answer(Status.REJECTED)) as house:
        await house.service.create(an_intent())
        house.channel.tell("pay-1", Status.SUCCESS)
        calls: dict[str, Callable[[], Awaitable[Snapshot]]] = {
            "create": lambda: house.service.create(an_intent()),
            "wait": lambda: house.service.wait("pay-1", seconds=0, until=lambda record: False),
            "key": lambda: house.service.status(idempotency_key=KEY),
        }
        assert (await calls[asked]()).payment.status is Status.SUCCESS


@pytest.mark.parametrize("status", [404, 503, None])
async def test_a_failure_that_cannot_be_read_again_stands_as_it_was_said(tmp_path: Path, status: int | None) -> None:
    """That it failed is Blikk's own word: a read that adds nothing takes nothing from it, and is no error of the payment."""
    async with paying(tmp_path, answer(Status.REJECTED)) as house:
        await house.service.create(an_intent())
        house.channel.every_read = unread(status)
        snapshot = await house.service.status(payment_id="pay-1")
        assert_snapshot(snapshot, status=Status.REJECTED, error=None, fresh=True)


async def test_a_blikk_that_hangs_over_an_earlier_failure_holds_a_payment_up_for_seconds_only(tmp_path: Path) -> None:
    """It failed by Blikk's own word: whether that was the last one is worth a moment."""
    async with paying(tmp_path, answer(Status.ERROR), PAID) as house:
        await house.service.create(an_intent())
        house.channel.every_read = never
        started = anyio.current_time()
        assert await code_of(house.service.create(an_intent(OTHER_KEY))) == ""
        assert anyio.current_time() - started <= 5


async def test_an_equal_payment_that_failed_just_now_is_read_once_more_before_another_one_goes_out(
    tmp_path: Path,
) -> None:
    """Else a payment that was paid after all is paid twice."""
    async with paying(tmp_path, answer(Status.ERROR)) as house:
        await house.service.create(an_intent())
        house.channel.tell("pay-1", Status.SUCCESS)
        assert await code_of(house.service.create(an_intent(OTHER_KEY))) == "possible_duplicate"
        assert house.posts == 1


@pytest.mark.parametrize(
    ("amount_isk", "currency"), [(999_900, ""), (None, "EUR"), (999_900, "EUR"), (999, "ISK"), (0, "")]
)
async def test_another_amount_or_currency_of_blikks_shows_no_link_and_is_warned_of(
    tmp_path: Path, amount_isk: int | None, currency: str
) -> None:
    """Nobody is to approve what was not asked for."""
    said = replace(answer(Status.SCA_REQUIRED, LINK, payment_id="pay-1"), amount_isk=amount_isk, currency=currency)
    async with paying(tmp_path, said) as house:
        snapshot = await house.service.create(an_intent())
        told = 1_000 if amount_isk is None else amount_isk, currency or "ISK"
        assert (snapshot.payment.approval_url, snapshot.payment.warnings) == ("", (other_amount(*told),))
        assert blikks_amount(snapshot.payment.warnings) == (str(told[0]), told[1])
        assert house.record() == snapshot.payment


async def test_the_newest_of_blikks_other_amounts_is_the_one_that_is_told(tmp_path: Path) -> None:
    """A figure that Blikk has corrected since would be told as its word."""
    said = [replace(answer(payment_id="pay-1"), amount_isk=amount_isk) for amount_isk in (999_900, *[2_000] * 9)]
    async with paying(tmp_path, said[0]) as house:
        house.channel.reads.extend(said[1:])
        await house.service.create(an_intent())
        record = (await house.service.status(idempotency_key=KEY)).payment
        assert record.warnings == (other_amount(2_000, "ISK"),)
        assert house.record() == record
