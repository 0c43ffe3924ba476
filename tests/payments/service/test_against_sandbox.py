"""Whole payments against the sandbox, over real HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from blikk_payments.channel.client import ChannelClient
from blikk_payments.channel.secret import SecretStr
from blikk_payments.channel.wire import Status
from blikk_payments.ledger.opening import SqliteLedger
from blikk_sandbox import RunningSandbox, run_sandbox
from blikk_sandbox.person import approve
from tests.payments.doubles import LEDGER, service_over
from tests.payments.factories import OTHER_KEY, an_intent
from tests.payments.service.endings import MAYBE, NO_PAYMENT, SHORT, code_of, in_real_time, told

pytestmark = pytest.mark.anyio


def channel_of(sandbox: RunningSandbox) -> ChannelClient:
    """The real client of a running sandbox."""
    return ChannelClient(sandbox.base_url, SecretStr(sandbox.api_key), timeouts=SHORT)


async def control(sandbox: RunningSandbox, path: str, body: dict[str, Any]) -> None:
    """Prepare the sandbox."""
    async with httpx.AsyncClient(verify=False) as client:
        response = await client.post(f"{sandbox.control_url}{path}", json=body)
        assert response.status_code == 200, response.text


async def bank_record(sandbox: RunningSandbox) -> dict[str, Any]:
    """What the bank received and paid."""
    async with httpx.AsyncClient(verify=False) as client:
        return (await client.get(f"{sandbox.control_url}/record")).json()


@in_real_time
async def test_a_person_approves_and_the_payment_is_paid_once(tmp_path: Path) -> None:
    """The main job: create, the person's link, approval, paid."""
    async with run_sandbox(speed=20) as sandbox:
        channel = channel_of(sandbox)
        with SqliteLedger(tmp_path / LEDGER) as ledger:
            async with service_over(channel, ledger, real_time=True) as service:
                created = await service.create(an_intent())
                assert created.payment.status is Status.SCA_REQUIRED
                await approve(created.payment.approval_url)
                paid = await service.wait(created.payment.payment_id, seconds=5, until=lambda record: False)
                assert (paid.payment.status, paid.payment.final) == (Status.SUCCESS, True)
        await channel.aclose()
        record = await bank_record(sandbox)
        assert (len(record["received"]), record["paid"]) == (1, [paid.payment.payment_id])


@in_real_time
@pytest.mark.parametrize(
    ("fault", "made"),
    [
        ("answer_lost_after_commit", 1),
        ("answer_lost_before_commit", 0),
        ("error_after_commit", 1),
        ("error_before_commit", 0),
        ("garbage", 1),
        ("no_id", 1),
        ("truncated", 1),
        ("huge_body", 1),
        ("gzip_bomb", 1),
        ("rate_limited", 0),
        ("empty_502", 0),
    ],
)
async def test_a_lost_answer_is_never_sent_again(tmp_path: Path, fault: str, made: int) -> None:
    """The bank may have made the payment or not: the same call, an equal one and a restart send nothing more."""
    async with run_sandbox(speed=20, life="instant_success") as sandbox:
        await control(sandbox, "/faults", {"fault": fault, "operation": "create", "size_bytes": 4 * 1024**2})
        for _ in range(2):
            channel = channel_of(sandbox)
            with SqliteLedger(tmp_path / LEDGER) as ledger:
                async with service_over(channel, ledger, real_time=True) as service:
                    assert told(await service.create(an_intent())) == (MAYBE, "outcome_unknown")
                    assert await code_of(service.create(an_intent(OTHER_KEY))) == "possible_duplicate"
            await channel.aclose()
        record = await bank_record(sandbox)
        assert (len(record["payments"]), len(record["paid"])) == (made, made)
        assert len(record["received"]) <= 1


@in_real_time
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("problem", "rejected_by_blikk"),
        ("unauthorized", "unauthorized"),
        ("wrong_channel", "wrong_channel"),
        ("plain_404", "not_found"),
    ],
)
async def test_a_refusal_by_the_sandbox_is_definite_and_the_retry_is_the_only_payment(
    tmp_path: Path, fault: str, code: str
) -> None:
    """After a definite refusal by Blikk the key may be sent again."""
    async with run_sandbox(speed=20, life="instant_success") as sandbox:
        await control(sandbox, "/faults", {"fault": fault, "operation": "create"})
        channel = channel_of(sandbox)
        with SqliteLedger(tmp_path / LEDGER) as ledger:
            async with service_over(channel, ledger, real_time=True) as service:
                assert told(await service.create(an_intent())) == (NO_PAYMENT, code)
                assert (await service.create(an_intent())).payment.status is Status.SUCCESS
        await channel.aclose()
        assert len((await bank_record(sandbox))["paid"]) == 1
