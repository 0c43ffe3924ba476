"""The tasks that send: no payment waits for another, and none is lost at the end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import pytest

from blikk_payments.channel.errors import Refused
from blikk_payments.channel.wire import PaymentOrder, Status
from blikk_payments.ledger.opening import SqliteLedger
from blikk_payments.models import ClaimState, PaymentRecord
from blikk_payments.sending import Sender, Sending
from tests.payments.doubles import LEDGER, REAL_PATIENCE_SECONDS, ScriptedChannel, after, inline, never
from tests.payments.factories import NOON, answer, numbered

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
        claim = self.ledger.claim(intent, lambda facts: None, window_minutes=0, now=NOON)
        order = PaymentOrder(intent.amount_isk, intent.creditor_name, intent.creditor_ssn, intent.creditor_iban)
        return self.sender.start(intent, order, claim.record)

    async def send(self) -> Sending:
        """Send the next payment to its end."""
        sending = self.start()
        await sending.done.wait()
        return sending

    def kept(self, sending: Sending) -> ClaimState | None:
        """What the ledger says of it."""
        record = self.ledger.by_key(sending.record.idempotency_key, now=NOON)
        return record and record.state


@asynccontextmanager
async def posting(folder: Path) -> AsyncGenerator[Post]:
    """A sender whose tasks end with the block."""
    channel = ScriptedChannel()
    with SqliteLedger(folder / LEDGER) as ledger:
        # A payment that nobody sends would keep its caller for ever.
        with anyio.fail_after(REAL_PATIENCE_SECONDS):
            async with anyio.create_task_group() as tasks:
                sender = Sender(channel=channel, ledger=ledger, tasks=tasks, now=lambda: NOON, run_blocking=inline)
                yield Post(sender, channel, ledger, tasks)
                tasks.cancel_scope.cancel()


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


async def test_a_payment_under_way_when_the_tasks_end_is_unknown(tmp_path: Path) -> None:
    """What is claimed and may have been sent is written down as unknown; nobody waits for ever."""
    async with posting(tmp_path) as post:
        post.channel.creates.append(never)
        last = post.start()
        await anyio.wait_all_tasks_blocked()
        post.tasks.cancel_scope.cancel()
    assert last.done.is_set()
    assert last.record.state is ClaimState.UNKNOWN
    with SqliteLedger(tmp_path / LEDGER) as ledger:
        post.ledger = ledger
        assert post.kept(last) is ClaimState.UNKNOWN


async def test_an_outcome_that_is_not_written_yet_says_nothing_of_a_later_attempt(tmp_path: Path) -> None:
    """Another process sent the key again meanwhile: what this one still holds is of the attempt before."""
    async with posting(tmp_path) as post:
        sending = await post.send()
        sending.recorded = False
        post.sender._unwritten.append(sending)  # pyright: ignore[reportPrivateUsage] - as after a failed write
        first = replace(sending.record, state=ClaimState.SENDING)
        later = replace(first, attempt=2)
        assert post.sender.newest(first).state is ClaimState.CREATED
        assert post.sender.newest(later) == later
        post.sender._unwritten.clear()  # pyright: ignore[reportPrivateUsage]


async def test_of_a_key_that_was_sent_again_the_newest_attempt_is_known(tmp_path: Path) -> None:
    """Also where the ledger has not taken the outcome of the one before."""
    async with posting(tmp_path) as post:
        post.channel.creates.extend([Refused("no", status=401), never])
        first = await post.send()
        claim = post.ledger.claim(numbered(1), lambda facts: None, window_minutes=0, now=NOON)
        second = post.sender.start(first.intent, first.order, claim.record)
        for unwritten in ([], [first]):
            post.sender._unwritten[:] = unwritten  # pyright: ignore[reportPrivateUsage] - as after a failed write
            assert post.sender.of_key(first.record.idempotency_key) is second
        post.sender._unwritten.clear()  # pyright: ignore[reportPrivateUsage]


async def test_what_blikk_says_while_an_outcome_is_being_written_is_written_next(tmp_path: Path) -> None:
    """The newer word must not be lost behind the older one, which the ledger takes first."""
    async with posting(tmp_path) as post:
        newer = answer(Status.SUCCESS, payment_id="pay-1")
        heard: list[PaymentRecord | None] = []

        async def slow(call: Callable[[], Any]) -> Any:
            if not heard:
                heard.append(post.sender.heard(newer))
            return await inline(call)

        post.sender._run_blocking = slow  # pyright: ignore[reportPrivateUsage] - a ledger that takes its time
        sending = await post.send()
        await post.sender.write_again()
        assert sending.recorded
        kept = post.ledger.by_key(sending.record.idempotency_key, now=NOON)
        assert (sending.record.status, kept and kept.status) == (Status.SUCCESS, Status.SUCCESS)


async def test_a_drain_that_is_cancelled_itself_still_lets_an_answer_arrive(tmp_path: Path) -> None:
    """A process that is told to end in the middle of a request hears what is nearly there."""
    async with posting(tmp_path) as post:
        post.channel.creates.append(after(0.01, answer()))
        sending = post.start()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await post.sender.drain()
        assert sending.record.state is ClaimState.CREATED
