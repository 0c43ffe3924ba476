"""One key asked for by many at the same moment."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from blikk_payments.channel.wire import Status
from blikk_payments.models import ClaimState
from blikk_payments.service import PaymentService
from blikk_payments.snapshot import Snapshot
from tests.expecting import assert_snapshot
from tests.payments.doubles import ScriptedChannel, Step, after, paying, when
from tests.payments.factories import an_intent
from tests.payments.service.endings import LOST, MAYBE, PAID, in_real_time, told

pytestmark = pytest.mark.anyio


async def test_eight_tasks_with_one_key_send_one_payment(tmp_path: Path) -> None:
    """While the first call is under way the others wait for it and answer from its outcome."""
    answers: list[Snapshot] = []
    async with paying(tmp_path, after(2, PAID)) as house:

        async def create() -> None:
            answers.append(await house.service.create(an_intent()))

        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(create)
        assert house.posts == 1
        assert sorted(snapshot.replayed for snapshot in answers) == [False] + [True] * 7
        assert {(snapshot.payment.payment_id, told(snapshot)) for snapshot in answers} == {
            ("pay-1", (ClaimState.CREATED, ""))
        }


@in_real_time
async def test_eight_tasks_and_their_threads_send_one_payment(tmp_path: Path) -> None:
    """The same with the worker threads that the process really uses, over two services on one ledger."""
    answers: list[Snapshot] = []
    channel = ScriptedChannel(PAID)
    async with (
        paying(tmp_path, channel=channel, real_time=True) as one,
        paying(tmp_path, channel=channel, real_time=True) as other,
    ):

        async def create(service: PaymentService) -> None:
            answers.append(await service.create(an_intent()))

        async with anyio.create_task_group() as tasks:
            for house in [one, other] * 4:
                tasks.start_soon(create, house.service)
    assert len(channel.orders) == 1
    assert sorted(snapshot.replayed for snapshot in answers) == [False] + [True] * 7
    assert {snapshot.payment.payment_id for snapshot in answers} == {"pay-1"}


@pytest.mark.parametrize(
    ("ending", "state", "code"), [(LOST, MAYBE, "outcome_unknown"), (PAID, ClaimState.CREATED, "")]
)
async def test_the_second_call_tells_what_became_of_the_first(
    tmp_path: Path, ending: Step, state: ClaimState, code: str
) -> None:
    """The second waits for the first and answers from its outcome."""
    async with paying(tmp_path, after(3, ending)) as house, anyio.create_task_group() as tasks:
        tasks.start_soon(house.service.create, an_intent())
        await anyio.sleep(1)
        second = await house.service.create(an_intent())
        assert_snapshot(second, state=state, code=code, replayed=True)
        assert house.posts == 1
        assert anyio.current_time() == pytest.approx(3, abs=0.5)


async def test_a_first_call_that_stays_open_leaves_the_second_pending_after_a_bounded_time(tmp_path: Path) -> None:
    """If the first is still open then: pending."""
    answered = anyio.Event()
    async with paying(tmp_path, when(answered, PAID)) as house, anyio.create_task_group() as tasks:
        tasks.start_soon(house.service.create, an_intent())
        await anyio.sleep(1)
        second = await house.service.create(an_intent())
        assert (told(second), second.replayed) == ((ClaimState.SENDING, ""), True)
        assert 1 < anyio.current_time() <= 15
        answered.set()
        await anyio.sleep(1)
        third = await house.service.create(an_intent())
        assert_snapshot(third, status=Status.SUCCESS, replayed=True)
        assert house.posts == 1


async def test_a_ledger_that_fails_while_the_second_call_waits_costs_it_nothing(tmp_path: Path) -> None:
    """In the process that sends, the outcome is known without the ledger."""
    async with paying(tmp_path, after(5, PAID)) as house, anyio.create_task_group() as tasks:
        tasks.start_soon(house.service.create, an_intent())
        await anyio.sleep(1)
        house.ledger.broken = {"by_key", "find_key"}
        second = await house.service.create(an_intent())
        assert_snapshot(second, state=ClaimState.CREATED, code="", replayed=True, payment_id="pay-1")
