"""The state machine: crashes, an operator, a bank of every mood, and time that passes, in any order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from blikk_payments.channel.wire import ChannelPayment, Status
from blikk_payments.errors import IdempotencyConflict
from blikk_payments.ledger.protocol import RESOLVE_AFTER_SECONDS, SENDING_LIMIT_SECONDS, IllegalTransition
from blikk_payments.models import ClaimState
from blikk_payments.snapshot import Snapshot
from tests.payments.factories import an_intent
from tests.payments.steps.bank import LIMIT_ISK, WINDOW_MINUTES, Answers, Reads
from tests.payments.steps.simulated_fleet import SimulatedFleet

KEYS = [f"purchase-{number}" for number in range(1, 7)]
ACCOUNTS = ["IS015926000001", "IS015926000002"]
HESITANT_ACCOUNT = "IS015926000003"
"""Of `hesitate` alone: a payment in doubt holds up all others to its account."""
AMOUNTS = [400, 700]
CALLS_BEFORE_A_CLAIM = 2
"""Whether the key is known, and whether an equal payment failed just now."""
CONFIRM = ["", "newest", "newest in doubt", "nonsense"]


class Payments(SimulatedFleet):
    """What agents, bank, operator and fate do, in any order."""

    steps = 0

    @initialize()
    def start(self) -> None:
        """Two processes on one ledger."""
        self.processes = [self.new_process(), self.new_process()]

    def teardown(self) -> None:
        """The last look, and then nothing is left open."""
        try:
            if self.processes:
                self.look()
        finally:
            self.end()

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
        payment = an_intent(key, amount, account_key=account, name=key)
        self.ask(which, self.confirmed(payment, confirm), answers, held)

    @precondition(lambda self: bool(self.bank.posts))
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
        earlier = data.draw(st.sampled_from([post.intent for post in self.bank.posts]), label="again")
        key = new_key or earlier.idempotency_key
        payment = replace(earlier, idempotency_key=key, creditor_name=key)
        self.ask(which, self.confirmed(payment, confirm), answers, held)

    @rule(which=st.integers(0, 1), key=st.sampled_from(KEYS))
    def status(self, which: int, key: str) -> None:
        """An agent asks how a payment stands."""
        result = self.finished(self.call(self.processes[which].service.status(idempotency_key=key)))
        if isinstance(result, Snapshot):
            assert result.record is not None
            self.must_be_true(key, result.record)
        else:
            assert result.code == "not_found"
            assert all(post.free for post in self.bank.of_key(key))

    # What the bank does.

    @precondition(lambda self: self.under_way())
    @rule(data=st.data())
    def answer_arrives(self, data: st.DataObject) -> None:
        """A request that has been under way comes back."""
        post = data.draw(st.sampled_from(self.under_way()), label="answered")
        self.arrive(post)

    @precondition(lambda self: self.going_on())
    @rule(
        data=st.data(), status=st.sampled_from([Status.PENDING, Status.SCA_REQUIRED, Status.SUCCESS, Status.REJECTED])
    )
    def bank_moves(self, data: st.DataObject, status: Status) -> None:
        """A payment that has not ended goes on."""
        post = data.draw(st.sampled_from(self.going_on()), label="moved")
        assert post.status is not None
        post.before, post.status = post.status, status

    @rule(reads=st.sampled_from(Reads))
    def bank_shows(self, reads: Reads) -> None:
        """From now on this is what a GET meets."""
        self.bank.reads = reads

    # What fate does.

    @rule(which=st.integers(0, 1), seen=st.booleans())
    def crash(self, which: int, seen: bool) -> None:
        """A process is killed and started again; whether it is gone cannot always be told."""
        process = self.processes[which]
        process.crash()
        if seen:
            self.gone.add(process.identity.dump())
        self.forget(process)
        self.processes[which] = self.new_process()

    @rule(which=st.integers(0, 1))
    def restart(self, which: int) -> None:
        """A process ends in good order and is started again."""
        process = self.processes[which]
        process.shut_down()
        self.gone.add(process.identity.dump())
        self.hear()
        self.forget(process)
        self.processes[which] = self.new_process()

    @rule(seconds=st.sampled_from([1, 31, 600, WINDOW_MINUTES * 60 + 1, 13 * 3_600]))
    def time_passes(self, seconds: int) -> None:
        """Nothing happens for a while."""
        self.ahead += timedelta(seconds=seconds)

    # What the operator does.

    @rule(key=st.sampled_from(KEYS))
    def resolve(self, key: str) -> None:
        """The operator looks in the bank's portal and says what is there."""
        before = self.operator.by_key(key, now=self.now())
        if before is None:
            return
        made = self.bank.made(key)
        try:
            if made:
                answer = ChannelPayment(made[-1].payment_id, made[-1].status or Status.OTHER)
                self.operator.resolve_created(key, answer, note="seen in the portal", now=self.now())
            else:
                self.operator.resolve_not_created(key, note="not in the portal", now=self.now())
        except IllegalTransition:
            # Of a payment that was sent just now nobody can say yet that it was not made.
            assert before.state is not ClaimState.UNKNOWN or not made
            return
        assert before.state is ClaimState.UNKNOWN
        for post in made:
            post.told = True
        for post in self.bank.of_key(key):
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
        payment = an_intent(key, AMOUNTS[0], account_key=ACCOUNTS[0], name=key)
        count = len(self.bank.posts)
        self.ask(0, payment, late, held=True)
        if len(self.bank.posts) == count:
            return
        post = self.bank.posts[-1]
        if ended and post in self.going_on():
            post.status = Status.SUCCESS
        self.time_passes(RESOLVE_AFTER_SECONDS)
        self.resolve(key)
        self.ask(which, payment, answers, held)
        self.arrive(post)

    @rule(
        key=st.sampled_from(KEYS),
        calls=st.integers(1, CALLS_BEFORE_A_CLAIM),
        other_amount=st.sampled_from(AMOUNTS),
        other_answers=st.sampled_from([Answers.MADE_AND_LOST, Answers.LOST, Answers.CREATED, Answers.REFUSED]),
        held=st.booleans(),
        fate=st.sampled_from(["nothing", "a crash", "time"]),
        answers=st.sampled_from(Answers),
    )
    def hesitate(
        self,
        key: str,
        calls: int,
        other_amount: int,
        other_answers: Answers,
        held: bool,
        fate: str,
        answers: Answers,
    ) -> None:
        """A process has looked whether the key is free, and stops; before its claim another one is asked for that key."""
        payment = an_intent(key, AMOUNTS[0], account_key=HESITANT_ACCOUNT, name=key)
        self.processes[0].stop_after(calls)
        task = self.begin(0, payment)
        self.ask(1, replace(payment, amount_isk=other_amount), other_answers, held)
        if fate == "a crash":
            self.crash(1, seen=True)
        elif fate == "time":
            self.time_passes(SENDING_LIMIT_SECONDS)
        taken = [post for post in self.bank.of_key(key) if not post.free]
        self.next_request(payment, answers, held=False)
        self.processes[0].go_on()
        if taken and taken[-1].intent.amount_isk != payment.amount_isk:
            assert isinstance(self.finished(task), IdempotencyConflict)
        self.hear()

    @rule()
    def look(self) -> None:
        """The operator lists the ledger: every payment of the bank's is known, or said to be unknown."""
        records = {record.idempotency_key: record for record in self.operator.records(now=self.now())}
        assert set(records) == {post.intent.idempotency_key for post in self.bank.posts}
        for key, record in records.items():
            self.must_be_true(key, record)
            self.must_be_in_order(key)
            assert record.attempt == len(self.bank.of_key(key))
            assert key not in self.ends or record.final
            young = self.now() - record.claimed_at < timedelta(seconds=SENDING_LIMIT_SECONDS)
            assert record.state is not ClaimState.SENDING or young
        today = [one for one in records.values() if one.claimed_at.date() == self.now().date() and not one.failed]
        facts = self.operator.facts(an_intent("nothing"), window_minutes=0, now=self.now())
        assert facts.reserved_today_isk == sum(one.amount_isk for one in today) <= LIMIT_ISK

    # What must hold after each of these.

    @invariant()
    def no_request_broke_a_promise(self) -> None:
        """Nothing was sent twice, above the limit, or beside an equal payment that nobody confirmed."""
        type(self).steps += 1
        assert self.bank.broken == []

    @invariant()
    def a_key_is_at_most_one_payment(self) -> None:
        """Whatever happened."""
        for key in KEYS:
            assert len(self.bank.made(key)) <= 1

    @invariant()
    def the_ledger_adds_up(self) -> None:
        """Hash chain, records and sums."""
        assert self.operator.verify() == []
