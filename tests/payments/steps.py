"""The state machine: two processes on one ledger, a bank of every mood, crashes, an operator, and time that passes.

Support of test_state_machine.py and test_mutants.py.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast
from unittest import mock

import anyio.lowlevel
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.payments.ledger_factories import NOON, intent
from tests.payments.steps_bank import LIMIT_ISK, WINDOW_MINUTES, Answers, Bank, Post, Reads, SteppedChannel
from tests.payments.steps_loop import VirtualLoop

from blikk_payments.channel.wire import TERMINAL, ChannelPayment, Status
from blikk_payments.errors import IdempotencyConflict, LedgerUnavailable, OutcomeUnknown, PaymentsError
from blikk_payments.ledger import SENDING_LIMIT_SECONDS, IllegalTransition
from blikk_payments.models import ClaimState, PaymentIntent, PaymentRecord
from blikk_payments.policy import Policy
from blikk_payments.processes import ProcessIdentity
from blikk_payments.service import Blocking, PaymentService
from blikk_payments.snapshot import Snapshot
from blikk_payments.sqlite_ledger import SqliteLedger

KEYS = [f"purchase-{number}" for number in range(1, 7)]
ACCOUNTS = ["IS015926000001", "IS015926000002"]
AMOUNTS = [400, 700]
CONFIRM = ["", "newest", "nonsense"]
POLICY = Policy(daily_limit_isk=LIMIT_ISK, creates_per_minute=10_000, duplicate_window_minutes=WINDOW_MINUTES)
MEMORY = Path("/dev/shm")

T = TypeVar("T")
Result = Snapshot | PaymentsError


class Process:
    """A paying process of which nothing but its files outlives a crash."""

    def __init__(self, number: int, path: Path, bank: Bank, loop: VirtualLoop) -> None:
        self.identity = ProcessIdentity(host="here", boot="b", namespace="n", pid=number, started="1")
        self.dead = False
        self._loop = loop
        self._ledger = SqliteLedger(path, process=self.identity)
        self.service = PaymentService(
            channel=SteppedChannel(bank),
            ledger=self._ledger,
            policy=POLICY,
            now=bank.now,
            run_blocking=cast("Blocking", self._run_blocking),
        )
        self._stop = asyncio.Event()
        self._living = loop.create_task(self._live())
        loop.settle()

    async def _live(self) -> None:
        async with self.service:
            await self._stop.wait()

    async def _run_blocking(self, call: Callable[[], T]) -> T:
        await anyio.lowlevel.checkpoint()
        if self.dead:
            raise LedgerUnavailable("this process is dead")
        return call()

    def crash(self) -> None:
        """Be gone: what goes on in here from now on reaches nobody."""
        self.dead = True
        self._living.cancel()
        self._loop.settle()
        self._ledger.close()

    def shut_down(self) -> None:
        """End in good order."""
        self._stop.set()
        self._loop.settle()
        self._ledger.close()


class Payments(RuleBasedStateMachine):
    """What agents, bank, operator and fate do, in any order."""

    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(prefix="blikk-steps-", dir=MEMORY if MEMORY.is_dir() else None))
        self._path = self._folder / "ledger.sqlite3"
        self._loop = VirtualLoop()
        self._ahead = timedelta()
        self._gone: set[str] = set()
        self._started = 0
        self._under_way: list[tuple[PaymentIntent, Process, asyncio.Task[Result]]] = []
        self._ends: dict[str, tuple[str, Status]] = {}
        self._bank = Bank(self._now)
        self._patch = mock.patch("blikk_payments.sqlite_ledger.is_gone", self._gone.__contains__)
        self._patch.start()
        self._operator = SqliteLedger(
            self._path, process=ProcessIdentity(host="here", boot="b", namespace="n", pid=9_999, started="1")
        )
        self._processes: list[Process] = []

    @initialize()
    def start(self) -> None:
        """Two processes on one ledger."""
        self._processes = [self._process(), self._process()]

    def teardown(self) -> None:
        """The last look, and then nothing is left open."""
        try:
            if self._processes:
                self.look()
        finally:
            for process in self._processes:
                process.crash()
            self._operator.close()
            self._patch.stop()
            self._loop.close()
            shutil.rmtree(self._folder)

    # What agents do.

    @rule(
        which=st.integers(0, 1),
        key=st.sampled_from(KEYS),
        account=st.sampled_from(ACCOUNTS),
        amount=st.sampled_from(AMOUNTS),
        answers=st.sampled_from(Answers),
        held=st.booleans(),
        confirm=st.sampled_from(CONFIRM),
    )
    def create(
        self, which: int, key: str, account: str, amount: int, answers: Answers, held: bool, confirm: str
    ) -> None:
        """An agent asks for a payment, perhaps with a key that is known."""
        payment = intent(key, amount, account_key=account, creditor_name=key)
        self._create(which, self._confirmed(payment, confirm), answers, held)

    @precondition(lambda self: bool(self._bank.posts))
    @rule(
        which=st.integers(0, 1),
        data=st.data(),
        answers=st.sampled_from(Answers),
        held=st.booleans(),
        new_key=st.sampled_from(["", "", *KEYS]),
        confirm=st.sampled_from(CONFIRM),
    )
    def retry(self, which: int, data: st.DataObject, answers: Answers, held: bool, new_key: str, confirm: str) -> None:
        """An agent asks again for what was sent before, under the same key or under another one."""
        earlier = data.draw(st.sampled_from([post.intent for post in self._bank.posts]), label="again")
        key = new_key or earlier.idempotency_key
        payment = replace(earlier, idempotency_key=key, creditor_name=key)
        self._create(which, self._confirmed(payment, confirm), answers, held)

    @rule(which=st.integers(0, 1), key=st.sampled_from(KEYS))
    def status(self, which: int, key: str) -> None:
        """An agent asks how a payment stands."""
        result = self._finish(self._start(self._processes[which].service.status(idempotency_key=key)))
        if isinstance(result, Snapshot):
            self._must_be_true(key, result.record)
        else:
            assert result.code == "not_found"
            assert all(post.free for post in self._bank.of_key(key))

    # What the bank does.

    @precondition(lambda self: self._held())
    @rule(data=st.data())
    def answer_arrives(self, data: st.DataObject) -> None:
        """A request that has been under way comes back."""
        post = data.draw(st.sampled_from(self._held()), label="answered")
        self._arrive(post)

    @precondition(lambda self: self._open())
    @rule(
        data=st.data(), status=st.sampled_from([Status.PENDING, Status.SCA_REQUIRED, Status.SUCCESS, Status.REJECTED])
    )
    def bank_moves(self, data: st.DataObject, status: Status) -> None:
        """A payment that has not ended goes on."""
        post = data.draw(st.sampled_from(self._open()), label="moved")
        assert post.status is not None
        post.before, post.status = post.status, status

    @rule(reads=st.sampled_from(Reads))
    def bank_shows(self, reads: Reads) -> None:
        """From now on this is what a GET meets."""
        self._bank.reads = reads

    # What fate does.

    @rule(which=st.integers(0, 1), seen=st.booleans())
    def crash(self, which: int, seen: bool) -> None:
        """A process is killed and started again; whether it is gone cannot always be told."""
        process = self._processes[which]
        process.crash()
        if seen:
            self._gone.add(process.identity.dump())
        self._forget(process)
        self._processes[which] = self._process()

    @rule(which=st.integers(0, 1))
    def restart(self, which: int) -> None:
        """A process ends in good order and is started again."""
        process = self._processes[which]
        process.shut_down()
        self._gone.add(process.identity.dump())
        self._hear()
        self._forget(process)
        self._processes[which] = self._process()

    @rule(seconds=st.sampled_from([1, 31, 600, WINDOW_MINUTES * 60 + 1, 13 * 3_600]))
    def time_passes(self, seconds: int) -> None:
        """Nothing happens for a while."""
        self._ahead += timedelta(seconds=seconds)

    # What the operator does.

    @rule(key=st.sampled_from(KEYS))
    def resolve(self, key: str) -> None:
        """The operator looks in the bank's portal and says what is there."""
        before = self._operator.by_key(key, now=self._now())
        if before is None:
            return
        made = self._bank.made(key)
        try:
            if made:
                answer = ChannelPayment(made[-1].payment_id, made[-1].status or Status.OTHER)
                self._operator.resolve_created(key, answer, note="seen in the portal", now=self._now())
            else:
                self._operator.resolve_not_created(key, note="not in the portal", now=self._now())
        except IllegalTransition:
            assert before.state is not ClaimState.UNKNOWN
            return
        assert before.state is ClaimState.UNKNOWN
        for post in made:
            post.told = True
        for post in self._bank.of_key(key):
            post.free = post.free or not made

    @rule(
        key=st.sampled_from(KEYS),
        late=st.sampled_from(Answers),
        ended=st.booleans(),
        which=st.integers(0, 1),
        answers=st.sampled_from(Answers),
        held=st.booleans(),
    )
    def overtake(self, key: str, late: Answers, ended: bool, which: int, answers: Answers, held: bool) -> None:
        """An answer takes so long that the operator has looked, and the agent asked again, before it comes."""
        payment = intent(key, AMOUNTS[0], account_key=ACCOUNTS[0], creditor_name=key)
        count = len(self._bank.posts)
        self._create(0, payment, late, held=True)
        if len(self._bank.posts) == count:
            return
        post = self._bank.posts[-1]
        if ended and post in self._open():
            post.status = Status.SUCCESS
        self.time_passes(SENDING_LIMIT_SECONDS)
        self.resolve(key)
        self._create(which, payment, answers, held)
        self._arrive(post)

    @rule()
    def look(self) -> None:
        """The operator lists the ledger: every payment of the bank's is known, or said to be unknown."""
        records = {record.idempotency_key: record for record in self._operator.records(now=self._now())}
        assert set(records) == {post.intent.idempotency_key for post in self._bank.posts}
        for key, record in records.items():
            self._must_be_true(key, record)
            self._must_be_in_order(key)
            assert record.attempt == len(self._bank.of_key(key))
            assert key not in self._ends or record.final
            young = self._now() - record.claimed_at < timedelta(seconds=SENDING_LIMIT_SECONDS)
            assert record.state is not ClaimState.SENDING or young
        today = [one for one in records.values() if one.claimed_at.date() == self._now().date() and not one.failed]
        facts = self._operator.facts(intent("nothing"), window_minutes=0, now=self._now())
        assert facts.reserved_today_isk == sum(one.amount_isk for one in today) <= LIMIT_ISK
        with closing(self._operator):
            assert self._operator.verify() == []

    # What must hold after each of these.

    @invariant()
    def no_request_broke_a_promise(self) -> None:
        """Nothing was sent twice, above the limit, or beside an equal payment that nobody confirmed."""
        type(self).steps += 1
        assert self._bank.broken == []

    @invariant()
    def a_key_is_at_most_one_payment(self) -> None:
        """Whatever happened."""
        for key in KEYS:
            assert len(self._bank.made(key)) <= 1

    @invariant()
    def the_ledger_adds_up(self) -> None:
        """Hash chain, records and sums."""
        assert self._operator.verify() == []

    def _create(self, which: int, payment: PaymentIntent, answers: Answers, held: bool) -> None:
        """Ask for it, and check that what should be sent is sent, and what should not be is not."""
        key, now = payment.idempotency_key, self._now()
        earlier = self._bank.of_key(key)
        free = all(post.free for post in earlier)
        conflict = not free and not _same(earlier[-1].intent, payment)
        equal = any(_equal(post.intent, payment) and not post.free for post in self._bank.posts)
        room = self._bank.reserved_isk(now) + payment.amount_isk <= LIMIT_ISK
        unseen_end = any(post.failed for post in self._bank.posts)
        self._bank.next_answers, self._bank.next_held = answers, held
        self._bank.intents[key] = payment
        count = len(self._bank.posts)

        process = self._processes[which]
        task = self._start(process.service.create(payment))
        self._under_way.append((payment, process, task))
        self._loop.settle()

        assert free or len(self._bank.posts) == count
        if free and self._may_be_claimed(key) and not equal and room and not unseen_end:
            assert len(self._bank.posts) == count + 1, "nothing spoke against it, and it was not sent"
        if conflict:
            assert isinstance(self._finish(task), IdempotencyConflict)
        self._hear()

    def _arrive(self, post: Post) -> None:
        assert post.held is not None
        post.held.set_result(None)
        self._loop.settle()
        self._hear()

    def _confirmed(self, payment: PaymentIntent, confirm: str) -> PaymentIntent:
        """The payment with the id that the agent says was confirmed."""
        equal = [post for post in self._bank.posts if _equal(post.intent, payment) and post.status]
        chosen = equal[-1].payment_id if equal and confirm == "newest" else confirm
        return replace(payment, confirmed_duplicate_of=chosen)

    def _may_be_claimed(self, key: str) -> bool:
        """Whether the ledger can know, too, that nothing was made under this key."""
        record = self._operator.by_key(key, now=self._now())
        return record is None or not record.state is ClaimState.UNKNOWN

    def _hear(self) -> None:
        """Check what every call that has ended was told."""
        for payment, process, task in list(self._under_way):
            if not task.done():
                continue
            self._under_way.remove((payment, process, task))
            result = task.result()
            if isinstance(result, Snapshot):
                post = self._bank.of_key(payment.idempotency_key)[result.record.attempt - 1]
                assert _same(post.intent, payment)
                self._must_be_true(payment.idempotency_key, result.record)
                unknown = result.record.state is ClaimState.UNKNOWN
                assert unknown == isinstance(result.error, OutcomeUnknown)

    def _must_be_true(self, key: str, record: PaymentRecord) -> None:
        """What is said of a payment is what the bank has, or that it is not known."""
        post = self._bank.of_key(key)[record.attempt - 1]
        if post.status is not None:
            assert record.state is not ClaimState.REFUSED
        if record.state is ClaimState.CREATED:
            assert post.status is not None
            assert record.payment_id == post.payment_id
        if record.final:
            assert record.status is post.status
            end = self._ends.setdefault(key, (record.payment_id, record.status))
            assert end == (record.payment_id, record.status)
        elif record.state is ClaimState.CREATED:
            assert key not in self._ends

    def _must_be_in_order(self, key: str) -> None:
        """A key is claimed again only after a refusal, an unknown outcome is never sent, and an end is the end."""
        refused = {"refused", "resolved_not_created"}
        last, end = "refused", ""
        for entry in self._operator.history(key):
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

    def _now(self) -> datetime:
        return NOON + self._ahead + timedelta(seconds=self._loop.time())

    def _process(self) -> Process:
        self._started += 1
        return Process(self._started, self._path, self._bank, self._loop)

    def _forget(self, process: Process) -> None:
        """Who called it will never hear, and what it had asked is not listened for."""
        self._under_way = [one for one in self._under_way if one[1] is not process]

    def _held(self) -> list[Post]:
        return [post for post in self._bank.posts if post.held is not None and not post.held.done()]

    def _open(self) -> list[Post]:
        return [post for post in self._bank.posts if post.status and post.status not in TERMINAL]

    def _start(self, call: Any) -> asyncio.Task[Result]:
        async def heard() -> Result:
            try:
                return await call
            except PaymentsError as error:
                return error

        return self._loop.create_task(heard())

    def _finish(self, task: asyncio.Task[Result]) -> Result:
        self._loop.settle()
        return task.result()


def _equal(one: PaymentIntent, other: PaymentIntent) -> bool:
    """Equal payments under different keys."""
    same = (one.account_key, one.amount_isk) == (other.account_key, other.amount_isk)
    return same and one.idempotency_key != other.idempotency_key


def _same(one: PaymentIntent, other: PaymentIntent) -> bool:
    """The same payment."""
    return (one.account_key, one.amount_isk) == (other.account_key, other.amount_isk)
