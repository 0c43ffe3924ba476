"""A request leaves within ten seconds of its claim, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from blikk_payments.channel.client import ChannelClient
from blikk_payments.channel.secret import SecretStr
from blikk_payments.channel.wire import PaymentOrder, Status
from blikk_payments.ledger.opening import SqliteLedger
from blikk_payments.ledger.protocol import Claim
from blikk_payments.models import ClaimState
from blikk_payments.service import SEND_WITHIN_SECONDS
from tests.expecting import assert_snapshot
from tests.payments.doubles import LEDGER, BreakableLedger, ScriptedChannel, paying, service_over, virtual_now
from tests.payments.factories import KEY, NOON, an_intent, answer
from tests.payments.loopback import as_json, loopback
from tests.payments.service.endings import CREATED_BODY, NO_PAYMENT, PAID, SHORT, in_real_time, refused, told

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("which", ["wall clock", "boot clock"])
async def test_the_order_may_not_leave_ten_seconds_after_its_claim(tmp_path: Path, which: str) -> None:
    """A process that was stopped in between, and others have given up on, must not send when it goes on."""
    ahead = {"wall clock": 0.0, "boot clock": 0.0}
    passed: list[bool] = []

    def look(order: PaymentOrder) -> None:
        assert order.deadline is not None
        for seconds in (0.0, 10.0, 10.1):
            ahead[which] = seconds
            passed.append(order.deadline.passed())

    channel = ScriptedChannel(PAID)
    channel.before_create = look
    with BreakableLedger(tmp_path / LEDGER) as ledger:
        options: dict[str, Any] = {
            "now": lambda: NOON + timedelta(seconds=ahead["wall clock"]),
            "since_boot": lambda: ahead["boot clock"],
        }
        async with service_over(channel, ledger, **options) as service:
            await service.create(an_intent())
    assert passed == [False, False, True]


@pytest.mark.parametrize("seconds", [9.0, 31.0])
async def test_the_time_in_which_a_claim_is_written_counts(tmp_path: Path, seconds: float) -> None:
    """Others count from the claim, too: a process that was stopped while it waited for the disk is given up on."""
    passed: list[bool] = []

    def look(order: PaymentOrder) -> None:
        assert order.deadline is not None
        passed.append(order.deadline.passed())

    async def slow_to_claim(call: Callable[[], Any], /) -> Any:
        done = call()
        if isinstance(done, Claim):
            await anyio.sleep(seconds)
        return done

    channel = ScriptedChannel(PAID)
    channel.before_create = look
    with BreakableLedger(tmp_path / LEDGER) as ledger:
        async with service_over(channel, ledger, run_blocking=slow_to_claim) as service:
            await service.create(an_intent())
    assert passed == [seconds > SEND_WITHIN_SECONDS]


async def test_what_takes_time_to_load_takes_none_of_a_claims_time(tmp_path: Path) -> None:
    """The HTTP library is loaded by the first payment: it must not be late because of that."""
    boot = 0.0
    passed: list[bool] = []

    class Slow(ScriptedChannel):
        def prepare(self) -> None:
            nonlocal boot
            boot += 60.0

    def look(order: PaymentOrder) -> None:
        assert order.deadline is not None
        passed.append(boot == 0 or order.deadline.passed())

    channel = Slow(PAID)
    channel.before_create = look
    with BreakableLedger(tmp_path / LEDGER) as ledger:
        async with service_over(channel, ledger, since_boot=lambda: boot) as service:
            await service.create(an_intent())
    assert passed == [False]


@in_real_time
async def test_an_order_that_is_too_late_sends_no_byte_and_its_key_may_be_sent_again(tmp_path: Path) -> None:
    """The deadline is looked at when the first byte is about to leave, after connecting."""
    boot = 0.0

    def stopped_after_the_claim() -> float:
        nonlocal boot
        boot += 11.0
        return boot

    async with loopback(as_json(201, CREATED_BODY)) as server:
        channel = ChannelClient(server.base_url, SecretStr("a-key"), timeouts=SHORT)
        with SqliteLedger(tmp_path / LEDGER) as ledger:
            async with service_over(channel, ledger, real_time=True, since_boot=stopped_after_the_claim) as service:
                assert told(await service.create(an_intent())) == (NO_PAYMENT, "blikk_unavailable")
                assert (server.requests, server.raw) == ([], b"")
            async with service_over(channel, ledger, real_time=True) as service:
                assert told(await service.create(an_intent())) == (ClaimState.CREATED, "")
        await channel.aclose()


async def test_a_request_whose_key_was_sent_again_meanwhile_is_answered_with_what_became_of_that(
    tmp_path: Path,
) -> None:
    """It took so long that somebody freed the key and paid under it: that payment is told, as an earlier one."""

    def meanwhile(order: PaymentOrder) -> None:
        now = virtual_now()
        house.ledger.refused(KEY, 1, code="unauthorized", bank_text="", now=now)
        house.ledger.claim(an_intent(), lambda facts: None, window_minutes=0, now=now)
        house.ledger.created(KEY, 2, answer(Status.SUCCESS, payment_id="pay-2", bank_text="ok"), now=now)

    async with paying(tmp_path, refused(400)) as house:
        house.channel.before_create = meanwhile
        snapshot = await house.service.create(an_intent())
    assert_snapshot(snapshot, payment_id="pay-2", attempt=2, replayed=True, bank_text="ok")
