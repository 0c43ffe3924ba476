"""Creating, looking up and waiting for payments: policy, then a durable claim, then one request, then its outcome.

What is promised here: one key is one payment; intent is written down before a byte is sent; an answer that was lost
is reported as unknown and never sent again; only Blikk's word makes a payment paid or failed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime

import anyio

from blikk_payments.channel.errors import ReadFailed, ReadRefused
from blikk_payments.channel.wire import NEEDS_PERSON, PaymentOrder
from blikk_payments.collaborators import Asker, Blocking, Channel
from blikk_payments.errors import (
    ConfirmationRequired,
    ErrorCode,
    LedgerUnavailable,
    PaymentNotFound,
    PolicyDenied,
    StatusUnavailable,
)
from blikk_payments.ladder import Ladder
from blikk_payments.ledger.pool import LedgerPool
from blikk_payments.ledger.protocol import Claim, Ledger
from blikk_payments.models import ClaimState, Confirmation, Facts, PaymentIntent, PaymentRecord, Question
from blikk_payments.overview import Overview
from blikk_payments.policy import Policy
from blikk_payments.polling import ENDS_A_WAIT, Poller, Reading
from blikk_payments.sending import REFUSAL_CODES, Sender, with_answer
from blikk_payments.snapshot import Snapshot, told

PEEK_SECONDS = 3.0
"""How long a create looks at its new payment for the approval link."""

FIRST_CALL_SECONDS = 10.0
"""How long a second call with a key waits for the first one's answer."""

FIRST_CALL_PACE_SECONDS = 0.1
FIRST_READING_SECONDS = 2.5
"""How long even the shortest wait lets Blikk take for its first answer: a wait ends at most 3 s after its time."""

STATUS_ATTEMPTS = 2
"""How often a single question is put to a Blikk that fails to answer it; a wait asks again by itself."""

TICK_SECONDS = 3.0
"""How often a wait reports that it is still waiting."""


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
        ladder: Ladder | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        run_blocking: Blocking | None = None,
    ) -> None:
        self._channel = channel
        self._ledger = ledger
        self._policy = policy
        self._sca_user_ssn = sca_user_ssn
        self._debtor_bban = debtor_bban
        self._ladder = ladder or Ladder()
        self._now = now
        self._stack = AsyncExitStack()
        self._run_blocking = run_blocking or LedgerPool()
        self.overview = Overview(ledger, policy, self._run_blocking, now)

    async def __aenter__(self) -> PaymentService:
        self._tasks = await self._stack.enter_async_context(anyio.create_task_group())
        self._poller = Poller(self._refresh, self._tasks, ladder=self._ladder)
        self._sender = Sender(
            channel=self._channel,
            ledger=self._ledger,
            tasks=self._tasks,
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
        confirmed = await self._ask_first(intent, asker)

        def decide(facts: Facts) -> None:
            self._policy.check(intent, facts, can_ask=asker is not None, confirmed=confirmed)

        def take() -> Claim:
            window = self._policy.duplicate_window_minutes
            return self._ledger.claim(intent, decide, window_minutes=window, now=self._now())

        # Between the claim and the start of its request there is no way out: a claim that nobody sends would be unknown.
        claim = sending = None
        with anyio.CancelScope(shield=True):
            claim = await self._run_blocking(take)
            if claim.fresh:
                sending = self._sender.start(self._order(intent), claim.record)
        assert claim is not None
        if sending is None:
            return await self._replay(claim.record)
        await sending.done.wait()
        record = sending.record
        if record.state is not ClaimState.CREATED or not sending.kept:
            return told(Snapshot(record, fresh=True, kept=sending.kept))
        return await self._peek(record)

    async def status(self, *, payment_id: str = "", idempotency_key: str = "") -> Snapshot:
        """What is known of a payment now, asked of Blikk unless it is final. Exactly one argument is given.

        A read that fails is in `error`; the record is then what was known before.

        Raises:
            PaymentNotFound: the ledger has no such key.
            LedgerUnavailable: the ledger cannot be read.
        """
        if not idempotency_key:
            return await self._brought_up_to_date(await self._known(payment_id) or self._outside(payment_id))
        record = await self._run_blocking(lambda: self._ledger.by_key(idempotency_key, now=self._now()))
        if record is None:
            raise PaymentNotFound("this ledger has no payment under this key")
        return await self._brought_up_to_date(record)

    def now(self) -> datetime:
        """The time by the clock that the ledger's times come from."""
        return self._now()

    async def wait(
        self,
        payment_id: str,
        *,
        seconds: float,
        until: Callable[[PaymentRecord], bool],
        tick: Callable[[float, PaymentRecord | None], Awaitable[None]] | None = None,
        first_reading_seconds: float = FIRST_READING_SECONDS,
    ) -> Snapshot:
        """Poll until the payment is final, `until` says so, or the time is up; 401, 403 and 404 end it at once.

        `tick` is called every few seconds with the seconds gone by. `seconds` of 0 looks once; for a first answer even
        the shortest wait gives Blikk `first_reading_seconds`.

        Raises:
            LedgerUnavailable: the ledger cannot be read.
        """
        known = await self._known(payment_id)
        if known is not None and known.final:
            return Snapshot(known, fresh=True)
        started = anyio.current_time()
        async with self._poller.watch(payment_id) as watch:
            while True:
                reading = watch.reading
                if reading is not None and _ends_wait(reading, until):
                    break
                gone = anyio.current_time() - started
                left = (seconds if reading else max(seconds, first_reading_seconds)) - gone
                if left <= 0:
                    break
                if tick is not None:
                    await tick(gone, reading.record if reading else known)
                with anyio.move_on_after(min(left, TICK_SECONDS)):
                    await watch.wait_for_change()
        before = known or self._outside(payment_id)
        if reading is None:
            return Snapshot(before, error=StatusUnavailable("Blikk did not answer in time"))
        return Snapshot(reading.record or before, fresh=reading.error is None, error=reading.error)

    async def _ask_first(self, intent: PaymentIntent, asker: Asker | None) -> Question | None:
        """Ask the person before anything is claimed, if the policy wants that and the key is new."""
        if asker is None:
            return None
        if await self._run_blocking(lambda: self._ledger.find_key(intent, now=self._now())) is not None:
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
                    await anyio.sleep(FIRST_CALL_PACE_SECONDS)
                    record = await self._run_blocking(lambda: self._ledger.by_key(key, now=self._now())) or record
        except LedgerUnavailable as error:
            # The first call has sent or is sending: whatever is wrong with the ledger, "nothing was sent" it is not.
            failed = StatusUnavailable(error.message, code=error.code)
            return Snapshot(record, replayed=True, error=failed)
        return replace(await self._brought_up_to_date(record), replayed=True)

    async def _brought_up_to_date(self, record: PaymentRecord) -> Snapshot:
        if not record.payment_id or record.final or record.state is ClaimState.REFUSED:
            return told(Snapshot(record, fresh=record.final))
        try:
            return Snapshot(await self._refresh(record.payment_id, record, attempts=STATUS_ATTEMPTS), fresh=True)
        except StatusUnavailable as error:
            return Snapshot(record, error=error)

    async def _refresh(
        self, payment_id: str, before: PaymentRecord | None = None, *, attempts: int = 1
    ) -> PaymentRecord:
        """Read a payment from Blikk and write down what is new; `before` is what was known of it before.

        Raises:
            StatusUnavailable: it could not be read, or not be written down.
        """
        try:
            answer = await self._channel.read(payment_id, attempts=attempts)
        except ReadRefused as error:
            code = REFUSAL_CODES.get(error.status or 0, ErrorCode.BLIKK_UNAVAILABLE)
            raise StatusUnavailable(str(error), code=code, bank_text=error.bank_text) from error
        except ReadFailed as error:
            raise StatusUnavailable(
                str(error), bank_text=error.bank_text, retry_after_seconds=error.retry_after_seconds
            ) from error
        if before is not None and (answer.status, answer.redirect_url) == (before.status, before.approval_url):
            # Most reads bring nothing new, and need no ledger.
            return before._replace(bank_text=answer.bank_text or before.bank_text)
        try:
            record = await self._run_blocking(lambda: self._ledger.seen(answer, now=self._now()))
        except LedgerUnavailable as error:
            raise StatusUnavailable(error.message, code=error.code) from error
        record = record or with_answer(self._outside(payment_id), answer)
        return record._replace(bank_text=answer.bank_text or record.bank_text)

    def _order(self, intent: PaymentIntent) -> PaymentOrder:
        return PaymentOrder(
            amount_isk=intent.amount_isk,
            creditor_name=intent.creditor_name,
            creditor_ssn=intent.creditor_ssn,
            creditor_iban=intent.creditor_iban,
            creditor_bban=intent.creditor_bban,
            sca_user_ssn=self._sca_user_ssn,
            debtor_bban=self._debtor_bban,
        )

    async def _known(self, payment_id: str) -> PaymentRecord | None:
        return await self._run_blocking(lambda: self._ledger.by_payment_id(payment_id, now=self._now()))

    def _outside(self, payment_id: str) -> PaymentRecord:
        """A payment that the ledger does not know: nothing but its id."""
        now = self._now()
        return PaymentRecord("", ClaimState.UNKNOWN, 0, "", "", now, now, payment_id=payment_id)


def _needs_person(record: PaymentRecord) -> bool:
    return record.status in NEEDS_PERSON


def _ends_wait(reading: Reading, until: Callable[[PaymentRecord], bool]) -> bool:
    if reading.error is not None:
        return reading.error.code in ENDS_A_WAIT
    return reading.record is not None and (reading.record.final or until(reading.record))
