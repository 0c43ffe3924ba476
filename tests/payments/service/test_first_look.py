"""The look at the new payment, to come back with its link."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from blikk_payments.channel.wire import Status
from blikk_payments.models import ClaimState
from tests.payments.doubles import never, paying, unread
from tests.payments.factories import LINK, an_intent, answer
from tests.payments.service.endings import told

pytestmark = pytest.mark.anyio


async def test_a_create_comes_back_with_the_link(tmp_path: Path) -> None:
    """It may look at the new payment for up to 3 s to come back with the link."""
    async with paying(tmp_path) as house:
        house.channel.tell("pay-1", Status.PENDING)
        house.channel.tell("pay-1", Status.SCA_REQUIRED, LINK, at=2)
        snapshot = await house.service.create(an_intent())
        assert (snapshot.payment.status, snapshot.payment.approval_url) == (Status.SCA_REQUIRED, LINK)
        assert (snapshot.fresh, anyio.current_time() <= 3) == (True, True)


async def test_a_create_does_not_wait_longer_than_three_seconds_for_the_link(tmp_path: Path) -> None:
    """It may look for up to 3 s; then it is pending."""
    async with paying(tmp_path) as house:
        house.channel.tell("pay-1", Status.SCA_REQUIRED, LINK, at=4)
        snapshot = await house.service.create(an_intent())
        assert (snapshot.payment.status, anyio.current_time()) == (Status.DRAFT, pytest.approx(3, abs=0.1))


@pytest.mark.parametrize("hindrance", ["slow", "backing off"])
async def test_the_three_seconds_hold_when_blikk_is_slow_to_answer_the_look(tmp_path: Path, hindrance: str) -> None:
    """It answers within a few seconds of Blikk's answer, whatever becomes of its look at the payment."""
    async with paying(tmp_path) as house, anyio.create_task_group() as tasks:
        if hindrance == "slow":
            house.channel.every_read = never
        else:
            house.channel.reads.append(unread(503, retry_after_seconds=20))
            tasks.start_soon(lambda: house.service.wait("pay-other", seconds=5, until=lambda record: False))
            await anyio.sleep(1)
        started = anyio.current_time()
        snapshot = await house.service.create(an_intent())
        assert told(snapshot) == (ClaimState.CREATED, "")
        assert anyio.current_time() - started <= 3.1
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("status", [503, 401, 404, None])
async def test_a_look_that_fails_is_not_worth_a_word(tmp_path: Path, status: int | None) -> None:
    """The payment was created; that it could not be looked at for once is no error of the create."""
    async with paying(tmp_path) as house:
        house.channel.every_read = unread(status)
        snapshot = await house.service.create(an_intent())
        assert (told(snapshot), snapshot.payment.status) == ((ClaimState.CREATED, ""), Status.DRAFT)
        assert anyio.current_time() <= 3.1


@pytest.mark.parametrize("status", [Status.SUCCESS, Status.ERROR, Status.SCA_REQUIRED])
async def test_where_there_is_nothing_to_look_for_nothing_is_looked_at(tmp_path: Path, status: Status) -> None:
    """A payment that is final, or needs a person, is told at once."""
    async with paying(tmp_path, answer(status, LINK)) as house:
        snapshot = await house.service.create(an_intent())
        assert (snapshot.payment.status, snapshot.fresh) == (status, True)
        assert (house.channel.read_ids, anyio.current_time()) == ([], 0)
