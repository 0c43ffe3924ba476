"""Creating, looking up and waiting for payments: policy, then a durable claim, then one request, then its outcome.

What is promised here: one key is one payment; intent is written down before a byte is sent; an answer that was lost
is reported as unknown and never sent again; only Blikk's word makes a payment paid or failed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import anyio

from blikk_payments.channel.deadline import Deadline, seconds_since_boot
from blikk_payments.channel.wire import NEEDS_PERSON, PaymentOrder
from blikk_payments.collaborators import Asker, Blocking, Channel
from blikk_payments.errors import (
    ConfirmationRequired,
    ErrorCode,
    IdempotencyConflict,
    LedgerUnavailable,
    PaymentNotFound,
    PolicyDenied,
    StatusUnavailable,
)
from blikk_payments.ledger.pool import LedgerPool
from blikk_payments.ledger.protocol import Claim, Ledger
from blikk_payments.models import (
    FAILURE_MAY_CHANGE_SECONDS,
    ClaimState,
    Confirmation,
    Facts,
    Payment,
    PaymentIntent,
    PaymentRecord,
    Question,
)
from blikk_payments.overview import Overview
from blikk_payments.policy import Policy
from blikk_payments.reading import FIRST_READING_SECONDS, Reader, Tick
from blikk_payments.schedule import PollSchedule
from blikk_payments.sending import Sender
from blikk_payments.snapshot import Snapshot, with_state_error

PEEK_SECONDS = 3.0
"""How long a create looks at its new payment for the approval link."""

FIRST_CALL_SECONDS = 10.0
"""How long a second call with a key waits for the first one's answer."""

FIRST_CALL_PACE_SECONDS = 0.1

SEND_WITHIN_SECONDS = 10.0
"""After its claim a request begins to leave within this time, or not at all. Others give it up after 30 s."""

FAILURES_READ_SECONDS = 3.0
"""How long Blikk is asked about equal payments that failed just now, before another one goes out."""

FLUSH_SECONDS = 1.0
"""How long the end of the process waits for a ledger to take the outcomes that it has not taken yet."""


class PaymentService:
    """The three things that can be done with a payment. An async context manager: requests outlive their callers."""

    def __init__(
        self,
        *,
        channel: Channel,
        ledger: Ledger,
        policy: Policy,
        sca_user_ssn: str = "",
        debtor_bban: str = "",
        schedule: PollSchedule | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        since_boot: Callable[[], float] = seconds_since_boot,
        run_blocking: Blocking | None = None,
    ) -> None:
        self._channel = channel
        self._ledger = ledger
        self._policy = policy
        self._sca_user_ssn = sca_user_ssn
        self._debtor_bban = debtor_bban
        self._schedule = schedule or PollSchedule()
        self._now = now
        self._since_boot = since_boot
        self._stack = AsyncExitStack()
        self._run_blocking = run_blocking or LedgerPool()
        self.overview = Overview(ledger, policy, self._run_blocking, now)

    async def __aenter__(self) -> PaymentService:
        # After the tasks have ended.
        self._stack.push_async_callback(self._flush)
        self._tasks = await self._stack.enter_async_context(anyio.create_task_group())
        self._sender = Sender(
            channel=self._channel,
            ledger=self._ledger,
            tasks=self._tasks,
            now=self._now,
            run_blocking=self._run_blocking,
        )
        self._reader = Reader(
            channel=self._channel,
            ledger=self._ledger,
            sender=self._sender,
            tasks=self._tasks,
            schedule=self._schedule,
            now=self._now,
            run_blocking=self._run_blocking,
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._sender.drain()
        self._tasks.cancel_scope.cancel()
        await self._stack.aclose()

    async def create(self, intent: PaymentIntent, *, asker: Asker | None = None) -> Snapshot:
        """Make the payment once, whatever happens and however often this is called with its key.

        A definite refusal by Blikk and an unknown outcome are told in the snapshot's `error`.

        Raises:
            PolicyDenied, PossibleDuplicate, IdempotencyConflict, LedgerUnavailable: nothing was sent.
        """
        self._channel.prepare()
        earlier = await self._earlier(intent)
        if earlier is not None:
            return await self._replay(earlier)
        await self._read_failures_again(intent)
        confirmed = await self._ask_first(intent, asker)

        def decide(facts: Facts) -> None:
            self._policy.check(intent, facts, can_ask=asker is not None, confirmed=confirmed)

        def take() -> Claim:
            window = self._policy.duplicate_window_minutes
            return self._ledger.claim(intent, decide, window_minutes=window, now=self._now())

        # Between the claim and the start of its request there is no way out: a claim that nobody sends would be unknown.
        claim = sending = None
        with anyio.CancelScope(shield=True):
            deadline = Deadline.after(SEND_WITHIN_SECONDS, self._now, self._since_boot)
            claim = await self._run_blocking(take)
            if claim.fresh:
                sending = self._sender.start(intent, self._order(intent, deadline), claim.record)
        assert claim is not None
        if sending is None:
            return await self._replay(claim.record)
        await sending.done.wait()
        record = sending.record
        if record.attempt != claim.record.attempt:
            # It took so long that the key was resolved and sent again: that is what there is to tell of it.
            return await self._replay(record)
        if record.state is not ClaimState.CREATED or not sending.recorded:
            return with_state_error(Snapshot(record, fresh=True, recorded=sending.recorded))
        return await self._peek(record)

    async def status(self, *, payment_id: str = "", idempotency_key: str = "") -> Snapshot:
        """What is known of a payment now, asked of Blikk unless it is final. Exactly one argument is given.

        A read that fails is in `error`; the payment is then what was known before.

        Raises:
            PaymentNotFound: the ledger has no such key.
            LedgerUnavailable: the ledger cannot be read.
        """
        if not idempotency_key:
            return await self._reader.status(payment_id)
        record = await self._reader.by_key(idempotency_key)
        if record is None:
            raise PaymentNotFound("this ledger has no payment under this key")
        return await self._reader.up_to_date(record)

    def now(self) -> datetime:
        """The time by the clock that the ledger's times come from."""
        return self._now()

    async def wait(
        self,
        payment_id: str,
        *,
        seconds: float,
        until: Callable[[Payment], bool],
        tick: Tick | None = None,
        first_reading_seconds: float = FIRST_READING_SECONDS,
    ) -> Snapshot:
        """Poll until the payment is final, `until` says so, or the time is up; 401, 403 and 404 end it at once.

        `tick` is called every few seconds with the seconds gone by. `seconds` of 0 looks once; for a first answer even
        the shortest wait gives Blikk `first_reading_seconds`.

        Raises:
            LedgerUnavailable: the ledger cannot be read.
        """
        return await self._reader.wait(
            payment_id, seconds=seconds, until=until, tick=tick, first_reading_seconds=first_reading_seconds
        )

    async def _earlier(self, intent: PaymentIntent) -> PaymentRecord | None:
        """What is known under the intent's key, from the ledger and from this process; None if it is free to be claimed.

        Only reads, so that a ledger which cannot be written still answers for the keys that it knows.
        """
        held = self._sender.of_key(intent.idempotency_key)
        if held is not None and held.done.is_set() and not held.recorded:
            await self._sender.write_again()
        try:
            record = await self._run_blocking(lambda: self._ledger.find_key(intent, now=self._now()))
        except LedgerUnavailable:
            if held is None:
                raise
            if not held.intent.is_same_payment(intent):
                raise IdempotencyConflict("This idempotency key belongs to another payment.") from None
            return held.record
        return self._sender.newest(record) if record else None

    async def _read_failures_again(self, intent: PaymentIntent) -> None:
        """Ask Blikk about equal payments that failed just now: one that was paid after all will hold this one up."""
        since = self._now() - timedelta(seconds=FAILURE_MAY_CHANGE_SECONDS)
        failures = await self._run_blocking(lambda: self._ledger.failed_equals(intent, since=since))
        with anyio.move_on_after(FAILURES_READ_SECONDS):
            for record in failures:
                await self._reader.up_to_date(record)

    async def _ask_first(self, intent: PaymentIntent, asker: Asker | None) -> Question | None:
        """Ask the person before anything is claimed, if the policy wants that."""
        if asker is None:
            return None
        window = self._policy.duplicate_window_minutes
        facts = await self._run_blocking(lambda: self._ledger.facts(intent, window_minutes=window, now=self._now()))
        try:
            self._policy.check(intent, facts, can_ask=True, confirmed=None)
        except ConfirmationRequired as required:
            answer = await asker.confirm(required.question)
            if answer is Confirmation.YES:
                return required.question
            if answer is Confirmation.UNANSWERED:
                raise required.unanswered() from None
            message = "It was declined: by the person, or by a client that runs without one."
            raise PolicyDenied(message, code=ErrorCode.CONFIRMATION_DECLINED) from None
        return None

    async def _peek(self, record: PaymentRecord) -> Snapshot:
        """Look at a new payment for a moment, to come back with the link rather than with *pending*."""
        if record.final or record.status in NEEDS_PERSON:
            return Snapshot(record, fresh=True)
        try:
            seen = await self.wait(
                record.payment_id, seconds=PEEK_SECONDS, until=_needs_person, first_reading_seconds=PEEK_SECONDS
            )
        except LedgerUnavailable:
            return Snapshot(record)
        return replace(seen, error=None) if seen.fresh else Snapshot(record)

    async def _replay(self, record: PaymentRecord) -> Snapshot:
        """Answer an earlier create again: wait for it if it is still under way, then bring it up to date."""
        key = record.idempotency_key
        try:
            with anyio.move_on_after(FIRST_CALL_SECONDS):
                while record.state in (ClaimState.CLAIMED, ClaimState.SENDING):
                    sending = self._sender.of_key(key)
                    if sending is not None and sending.record.attempt == record.attempt:
                        await sending.done.wait()
                        record = sending.record
                        continue
                    await anyio.sleep(FIRST_CALL_PACE_SECONDS)
                    record = await self._reader.by_key(key) or record
        except LedgerUnavailable as error:
            # The first call has sent or is sending: whatever is wrong with the ledger, "nothing was sent" it is not.
            failed = StatusUnavailable(error.message, code=error.code)
            return Snapshot(record, replayed=True, error=failed)
        return replace(await self._reader.up_to_date(record), replayed=True)

    def _order(self, intent: PaymentIntent, deadline: Deadline) -> PaymentOrder:
        return PaymentOrder(
            deadline=deadline,
            amount_isk=intent.amount_isk,
            creditor_name=intent.creditor_name,
            creditor_ssn=intent.creditor_ssn,
            creditor_iban=intent.creditor_iban,
            creditor_bban=intent.creditor_bban,
            sca_user_ssn=self._sca_user_ssn,
            debtor_bban=self._debtor_bban,
        )

    async def _flush(self) -> None:
        with anyio.move_on_after(FLUSH_SECONDS, shield=True):
            await self._sender.write_again()


def _needs_person(payment: Payment) -> bool:
    return payment.status in NEEDS_PERSON
