"""The tasks that send: one stays for the next payment, no payment waits for another, and none is lost at the end."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.abc
import pytest

from blikk_payments.channel.wire import PaymentOrder
from blikk_payments.ledger.opening import SqliteLedger
from blikk_payments.models import ClaimState
from blikk_payments.sending import Sender, Sending
from tests.payments.doubles import (
    LEDGER,
    REAL_PATIENCE_SECONDS,
    START,
    ScriptedChannel,
    after,
    answer,
    inline,
    never,
    numbered,
    when,
)

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])]


@dataclass
class Post:
    """A sender, the channel that it sends through, and the tasks that it sends in."""

    sender: Sender
    channel: ScriptedChannel
    ledger: SqliteLedger
    tasks: anyio.abc.TaskGroup
    sent: int = 0

    def start(self) -> Sending:
        """Claim the next payment, and start to send it."""
        self.sent += 1
        intent = numbered(self.sent)
        claim = self.ledger.claim(intent, lambda facts: None, window_minutes=0, now=START)
        order = PaymentOrder(intent.amount_isk, intent.creditor_name, intent.creditor_ssn, intent.creditor_iban)
        return self.sender.start(order, claim.record)

    async def send(self) -> Sending:
        """Send the next payment to its end."""
        sending = self.start()
        await sending.done.wait()
        return sending

    def kept(self, sending: Sending) -> ClaimState | None:
        """What the ledger says of it."""
        record = self.ledger.by_key(sending.record.idempotency_key, now=START)
        return record and record.state


@asynccontextmanager
async def posting(folder: Path) -> AsyncGenerator[Post]:
    """A sender whose tasks end with the block."""
    channel = ScriptedChannel()
    with SqliteLedger(folder / LEDGER) as ledger:
        # A payment that nobody sends would keep its caller for ever.
        with anyio.fail_after(REAL_PATIENCE_SECONDS):
            async with anyio.create_task_group() as tasks:
                sender = Sender(channel=channel, ledger=ledger, tasks=tasks, now=lambda: START, run_blocking=inline)
                yield Post(sender, channel, ledger, tasks)
                tasks.cancel_scope.cancel()


async def test_payments_one_after_the_other_are_sent_by_one_task(tmp_path: Path) -> None:
    """Ours: a task for each payment would be among the dearest parts of a create."""
    tasks: list[int] = []
    async with posting(tmp_path) as post:
        post.channel.before_create = lambda order: tasks.append(anyio.get_current_task().id)
        sent = [await post.send() for _ in range(5)]
        assert [sending.record.state for sending in sent] == [ClaimState.CREATED] * 5
    assert tasks == tasks[:1] * 5


async def test_no_payment_waits_for_the_answer_to_another(tmp_path: Path) -> None:
    """A Blikk that is slow for one payment is slow for no other one; that a task is idle when it begins changes nothing."""
    async with posting(tmp_path) as post:
        post.channel.creates.extend([answer(), never, never])
        await post.send()
        slow = [post.start(), post.start()]
        await anyio.wait_all_tasks_blocked()
        quick = await post.send()
        assert quick.record.state is ClaimState.CREATED
        assert not any(sending.done.is_set() for sending in slow)


async def test_many_at_once_leave_one_task_behind(tmp_path: Path) -> None:
    """Ours: idle tasks of a busy moment would be kept for nothing."""
    async with posting(tmp_path) as post:
        before = len(anyio.get_running_tasks())
        go = anyio.Event()
        post.channel.creates.extend([when(go, answer())] * 8)
        many = [post.start() for _ in range(8)]
        await anyio.wait_all_tasks_blocked()
        assert len(anyio.get_running_tasks()) == before + 8
        go.set()
        for sending in many:
            await sending.done.wait()
        await anyio.wait_all_tasks_blocked()
        assert len(anyio.get_running_tasks()) == before + 1


@pytest.mark.parametrize("given_first", [True, False], ids=["given, then ended", "ended, then given"])
async def test_a_payment_given_to_an_idle_task_in_the_moment_of_the_end_is_unknown(
    tmp_path: Path, given_first: bool
) -> None:
    """What is claimed and may have been sent is written down as unknown whenever the service ends; nobody waits for ever."""
    async with posting(tmp_path) as post:
        await post.send()
        await anyio.wait_all_tasks_blocked()
        post.channel.creates.append(after(60, answer()))
        if given_first:
            last = post.start()
            post.tasks.cancel_scope.cancel()
        else:
            post.tasks.cancel_scope.cancel()
            last = post.start()
    assert last.done.is_set()
    assert (last.record.state, post.sent) == (ClaimState.UNKNOWN, 2)
    with SqliteLedger(tmp_path / LEDGER) as ledger:
        post.ledger = ledger
        assert post.kept(last) is ClaimState.UNKNOWN


async def test_after_the_end_there_is_no_idle_task_to_give_a_payment_to(tmp_path: Path) -> None:
    """It would never be sent, and its caller would wait for ever: an error is better."""
    async with posting(tmp_path) as post:
        await post.send()
        await anyio.wait_all_tasks_blocked()
    with pytest.raises(RuntimeError):
        post.start()
    post.ledger.close()
