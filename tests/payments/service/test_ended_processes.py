"""Claims whose process died, callers that are cancelled, and a process that ends in mid-request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.lowlevel
import pytest

from blikk_payments.channel.wire import Status
from blikk_payments.errors import PossibleDuplicate
from blikk_payments.ledger.opening import SqliteLedger
from blikk_payments.ledger.processes import ProcessIdentity
from blikk_payments.models import ClaimState, Facts
from blikk_payments.policy import Policy
from blikk_payments.snapshot import Snapshot
from tests.expecting import assert_snapshot
from tests.payments.doubles import (
    LEDGER,
    BreakableLedger,
    Person,
    ScriptedChannel,
    after,
    inline,
    never,
    paying,
    service_over,
    virtual_now,
)
from tests.payments.factories import KEY, OTHER_KEY, an_intent, answer
from tests.payments.service.endings import MAYBE, PAID, in_ledger, told

pytestmark = pytest.mark.anyio

T = TypeVar("T")


def claimed_by(tmp_path: Path, process: ProcessIdentity) -> None:
    """Another process claims the usual payment and says no more."""

    def decide(facts: Facts) -> None:
        return

    with SqliteLedger(tmp_path / LEDGER, process=process) as ledger:
        ledger.claim(an_intent(), decide, window_minutes=0, now=virtual_now())


def gone() -> ProcessIdentity:
    """A process of this machine that is certainly gone."""
    return replace(ProcessIdentity.current(), pid=2**31 - 1)


async def test_a_claim_whose_process_died_is_unknown_at_once_and_never_sent_again(tmp_path: Path) -> None:
    """A claim whose process died while sending is unknown as soon as that process is known to be gone."""
    claimed_by(tmp_path, gone())
    async with paying(tmp_path) as house:
        again = await house.service.create(an_intent())
        assert_snapshot(again, state=MAYBE, code="outcome_unknown", replayed=True)
        assert house.posts == 0
        assert anyio.current_time() == 0


async def test_a_claim_of_another_machine_is_pending_and_after_thirty_seconds_unknown(tmp_path: Path) -> None:
    """At the latest after 30 s it is unknown; before that, pending."""
    claimed_by(tmp_path, replace(ProcessIdentity.current(), host="elsewhere"))
    async with paying(tmp_path) as house:
        early = await house.service.create(an_intent())
        assert told(early) == (ClaimState.SENDING, "")
        await anyio.sleep(30 - anyio.current_time())
        late = await house.service.create(an_intent())
        assert_snapshot(late, state=MAYBE, code="outcome_unknown", replayed=True)
        assert house.posts == 0


async def test_what_a_dead_process_left_holds_an_equal_payment_up(tmp_path: Path) -> None:
    """Its outcome is unknown, and that cannot be confirmed away."""
    claimed_by(tmp_path, gone())
    async with paying(tmp_path) as house:
        with pytest.raises(PossibleDuplicate) as caught:
            await house.service.create(an_intent(OTHER_KEY), asker=Person())
        assert (caught.value.confirmable, house.posts) == (False, 0)


async def test_a_cancelled_create_keeps_its_claim_and_its_answer_is_written_down(tmp_path: Path) -> None:
    """A cancelled create keeps its claim."""
    async with paying(tmp_path, after(5, PAID)) as house:
        with anyio.move_on_after(1) as scope:
            await house.service.create(an_intent())
        assert scope.cancelled_caught
        assert in_ledger(house) is ClaimState.SENDING
        await anyio.sleep(5)
        assert in_ledger(house) is ClaimState.CREATED
        again = await house.service.create(an_intent())
        assert_snapshot(again, payment_id="pay-1", replayed=True)
        assert house.posts == 1


@pytest.mark.parametrize("moment", range(12))
async def test_wherever_a_create_is_cancelled_what_is_claimed_is_sent(tmp_path: Path, moment: int) -> None:
    """A claim that nobody sends would be unknown for ever: between the claim and its request there is no way out."""
    scope = anyio.CancelScope()
    steps = 0

    def step() -> None:
        nonlocal steps
        if steps == moment:
            scope.cancel()
        steps += 1

    async def run_blocking(call: Callable[[], T]) -> T:
        step()
        result = await inline(call)
        step()
        await anyio.lowlevel.checkpoint()
        return result

    channel = ScriptedChannel(after(1, answer(Status.PENDING)))
    with BreakableLedger(tmp_path / LEDGER) as ledger:
        async with service_over(channel, ledger, Policy(ask_above_isk=0), run_blocking=run_blocking) as service:
            with scope:
                await service.create(an_intent(), asker=Person())
            await anyio.sleep(5)
            record = ledger.by_key(KEY, now=virtual_now())
            assert (len(channel.orders) == 1) == (record is not None)
            assert record is None or record.state is ClaimState.CREATED


async def test_a_shutdown_in_mid_send_ends_as_unknown(tmp_path: Path) -> None:
    """What was sent and not answered when the process ended may have been paid."""
    answers: list[Snapshot] = []
    async with anyio.create_task_group() as tasks, paying(tmp_path, never) as house:

        async def create() -> None:
            answers.append(await house.service.create(an_intent()))

        tasks.start_soon(create)
        await anyio.sleep(1)
    assert [told(snapshot) for snapshot in answers] == [(MAYBE, "outcome_unknown")]
    assert anyio.current_time() <= 3
    async with paying(tmp_path, channel=house.channel) as restarted:
        assert in_ledger(restarted) is MAYBE
        assert told(await restarted.service.create(an_intent())) == (MAYBE, "outcome_unknown")
        assert restarted.posts == 1


async def test_a_shutdown_lets_an_answer_that_is_nearly_there_arrive(tmp_path: Path) -> None:
    """Requests that are under way may finish within the bound of the shutdown."""
    async with paying(tmp_path, after(1.5, PAID)) as house:
        with anyio.move_on_after(1):
            await house.service.create(an_intent())
    async with paying(tmp_path, channel=house.channel) as restarted:
        assert in_ledger(restarted) is ClaimState.CREATED
