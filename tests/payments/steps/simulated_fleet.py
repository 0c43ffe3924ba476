"""What the steps of the state machine act on, and how they find out whether they were told the truth."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis.stateful import RuleBasedStateMachine

from blikk_payments.channel.wire import TERMINAL, Status
from blikk_payments.errors import IdempotencyConflict, OutcomeUnknown, PaymentsError
from blikk_payments.ledger.opening import open_ledger
from blikk_payments.ledger.processes import ProcessIdentity
from blikk_payments.models import ClaimState, PaymentIntent, PaymentRecord
from blikk_payments.snapshot import Snapshot
from tests.payments.factories import NOON
from tests.payments.steps.bank import LIMIT_ISK, Answers, Bank, Post
from tests.payments.steps.loop import VirtualLoop
from tests.payments.steps.process import Process
from tests.postgres import ledger_at

MEMORY = Path("/dev/shm")

Result = Snapshot | PaymentsError


class SimulatedFleet(RuleBasedStateMachine):
    """Two processes, a bank, an operator, one ledger, and a clock.

    `server`: the address of the PostgreSQL server that has the ledger, if SQLite has not.
    """

    server = ""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="blikk-steps-", dir=MEMORY if MEMORY.is_dir() else None))
        self.place = ledger_at(self.server) if self.server else self.folder / "ledger.sqlite3"
        self.loop = VirtualLoop()
        self.ahead = timedelta()
        self.gone: set[str] = set()
        self.started = 0
        self.calls: list[tuple[PaymentIntent, Process, asyncio.Task[Result]]] = []
        self.ends: dict[str, tuple[str, Status]] = {}
        self.bank = Bank(self.now)
        self.patch = mock.patch("blikk_payments.ledger.sql.staleness.is_gone", self.gone.__contains__)
        self.patch.start()
        self.operator = open_ledger(
            self.place, process=ProcessIdentity(host="here", boot="b", namespace="n", pid=9_999, started="1")
        )
        self.processes: list[Process] = []

    def end(self) -> None:
        """Leave nothing open, and nothing behind."""
        for process in self.processes:
            process.crash()
        self.operator.close()
        self.patch.stop()
        self.loop.close()
        shutil.rmtree(self.folder)

    def ask(self, which: int, payment: PaymentIntent, answers: Answers, held: bool) -> None:
        """Ask for it, and check that what should be sent is sent, and what should not be is not."""
        key, now = payment.idempotency_key, self.now()
        earlier = self.bank.of_key(key)
        free = all(post.free for post in earlier)
        conflict = not free and not _same(earlier[-1].intent, payment)
        equal = any(_equal(post.intent, payment) and not post.free for post in self.bank.posts)
        room = self.bank.reserved_isk(now, failed_too=True) + payment.amount_isk <= LIMIT_ISK
        self.next_request(payment, answers, held)
        count = len(self.bank.posts)
        task = self.begin(which, payment)

        assert free or len(self.bank.posts) == count
        if free and not equal and room:
            assert len(self.bank.posts) == count + 1, "nothing spoke against it, and it was not sent"
        if conflict:
            assert isinstance(self.finished(task), IdempotencyConflict)
        self.hear()

    def next_request(self, payment: PaymentIntent, answers: Answers, held: bool) -> None:
        """Whatever is sent next under this key is sent for this payment, and ends like this."""
        self.bank.next_answers, self.bank.next_held = answers, held
        self.bank.intents[payment.idempotency_key] = payment

    def begin(self, which: int, payment: PaymentIntent) -> asyncio.Task[Result]:
        """Ask a process for it, and wait until it has answered or waits for somebody."""
        process = self.processes[which]
        task = self.call(process.service.create(payment))
        self.calls.append((payment, process, task))
        self.loop.settle()
        return task

    def arrive(self, post: Post) -> None:
        """The answer to a request that was under way comes."""
        assert post.held is not None
        post.held.set_result(None)
        self.loop.settle()
        self.hear()

    def confirmed(self, payment: PaymentIntent, confirm: str) -> PaymentIntent:
        """The payment with the id that the agent says was confirmed; of one in doubt its key is known alone."""
        equal = [post for post in self.bank.posts if _equal(post.intent, payment)]
        told = [post.payment_id for post in equal if post.status and post.told]
        in_doubt = [post.intent.idempotency_key for post in equal if not post.told]
        named = {"newest": told, "newest in doubt": in_doubt}.get(confirm) or [confirm]
        chosen = named[-1]
        return replace(payment, confirmed_duplicate_of=chosen)

    def hear(self) -> None:
        """Check what every call that has ended was told."""
        for payment, process, task in list(self.calls):
            if not task.done():
                continue
            self.calls.remove((payment, process, task))
            result = task.result()
            if isinstance(result, Snapshot):
                assert result.record is not None
                post = self.bank.of_key(payment.idempotency_key)[result.record.attempt - 1]
                assert _same(post.intent, payment)
                self.must_be_true(payment.idempotency_key, result.record)
                unknown = result.record.state is ClaimState.UNKNOWN
                assert unknown == isinstance(result.error, OutcomeUnknown)

    def must_be_true(self, key: str, record: PaymentRecord) -> None:
        """What is said of a payment is what the bank has, or that it is not known."""
        post = self.bank.of_key(key)[record.attempt - 1]
        if post.status is not None:
            assert record.state is not ClaimState.REFUSED
        if record.state is ClaimState.CREATED:
            assert post.status is not None
            assert record.payment_id == post.payment_id
        if record.final:
            assert record.status is not None
            assert record.status is post.status
            end = self.ends.setdefault(key, (record.payment_id, record.status))
            assert end == (record.payment_id, record.status)
        elif record.state is ClaimState.CREATED:
            assert key not in self.ends

    def must_be_in_order(self, key: str) -> None:
        """A key is claimed again only after a refusal, an unknown outcome is never sent, and an end is the end."""
        refused = {"refused", "resolved_not_created"}
        last, end = "refused", ""
        for entry in self.operator.history(key):
            if entry.event != "stray_answer":
                status = entry.detail.get("status", "")
                assert end in ("", status)
                end = status if status in TERMINAL else end
            if entry.event == "claimed":
                assert last in refused
            elif entry.event == "sending":
                assert last == "claimed"
            elif entry.event in refused | {"unknown"}:
                assert last in {"sending", "unknown", *refused}
            if entry.event != "stray_answer":
                last = entry.event

    def now(self) -> datetime:
        """The time everywhere."""
        return NOON + self.ahead + timedelta(seconds=self.loop.time())

    def new_process(self) -> Process:
        """One more process, with an identity of its own."""
        self.started += 1
        return Process(self.started, self.place, self.bank, self.loop)

    def forget(self, process: Process) -> None:
        """Who called it will never hear, and what it had asked is not listened for."""
        self.calls = [one for one in self.calls if one[1] is not process]

    def under_way(self) -> list[Post]:
        """Requests whose answer has not come."""
        return [post for post in self.bank.posts if post.held is not None and not post.held.done()]

    def going_on(self) -> list[Post]:
        """Payments that have not ended."""
        return [post for post in self.bank.posts if post.status and post.status not in TERMINAL]

    def call(self, call: Coroutine[Any, Any, Snapshot]) -> asyncio.Task[Result]:
        """Begin a call; its result is what it was told, errors too."""

        async def heard() -> Result:
            try:
                return await call
            except PaymentsError as error:
                return error

        return self.loop.create_task(heard())

    def finished(self, task: asyncio.Task[Result]) -> Result:
        """The result of a call that has to end now."""
        self.loop.settle()
        return task.result()


def _equal(one: PaymentIntent, other: PaymentIntent) -> bool:
    """Payments to one account under different keys: one that is unknown holds up the other, whatever the amounts."""
    return one.account_key == other.account_key and one.idempotency_key != other.idempotency_key


def _same(one: PaymentIntent, other: PaymentIntent) -> bool:
    """The same payment."""
    return (one.account_key, one.amount_isk) == (other.account_key, other.amount_isk)
