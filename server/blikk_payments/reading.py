"""Looking up and watching payments: what the ledger and this process know of one, brought up to date with Blikk's word."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import anyio
import anyio.abc

from blikk_payments.channel.errors import ReadFailed, ReadRefused
from blikk_payments.collaborators import Blocking, Channel
from blikk_payments.errors import ErrorCode, LedgerUnavailable, StatusUnavailable
from blikk_payments.ledger.protocol import Ledger
from blikk_payments.ledger.stored import apply_answer
from blikk_payments.models import ClaimState, Payment, PaymentRecord
from blikk_payments.polling import ENDS_A_WAIT, Poller, Reading
from blikk_payments.schedule import PollSchedule
from blikk_payments.sending import REFUSAL_CODES, Sender
from blikk_payments.snapshot import Snapshot, with_state_error

FIRST_READING_SECONDS = 2.5
"""How long even the shortest wait lets Blikk take for its first answer: a wait ends at most 3 s after its time."""

STATUS_ATTEMPTS = 2
"""How often a single question is put to a Blikk that fails to answer it; a wait asks again by itself."""

TICK_SECONDS = 3.0
"""How often a wait reports that it is still waiting."""

Tick = Callable[[float, Payment | None], Awaitable[None]]


class Reader:
    """What is known of payments. An outcome that the ledger has not taken yet is known to the sender alone."""

    def __init__(
        self,
        *,
        channel: Channel,
        ledger: Ledger,
        sender: Sender,
        tasks: anyio.abc.TaskGroup,
        schedule: PollSchedule,
        now: Callable[[], datetime],
        run_blocking: Blocking,
    ) -> None:
        self._channel = channel
        self._ledger = ledger
        self._sender = sender
        self._now = now
        self._run_blocking = run_blocking
        self._poller = Poller(self._refresh, tasks, schedule=schedule)

    async def by_key(self, idempotency_key: str) -> PaymentRecord | None:
        """The payment under this key.

        Raises:
            LedgerUnavailable: the ledger cannot be read.
        """
        try:
            record = await self._run_blocking(lambda: self._ledger.by_key(idempotency_key, now=self._now()))
        except LedgerUnavailable:
            held = self._sender.of_key(idempotency_key)
            if held is None:
                raise
            return held.record
        return self._sender.newest(record) if record else None

    async def by_id(self, payment_id: str) -> PaymentRecord | None:
        """The payment with this id of Blikk's, or under this key: an agent may give the one for the other.

        Raises:
            LedgerUnavailable: the ledger cannot be read.
        """
        held = self._sender.of_id(payment_id)
        if held is not None:
            return held.record
        record = await self._run_blocking(lambda: self._ledger.by_payment_id(payment_id, now=self._now()))
        return record or await self.by_key(payment_id)

    async def status(self, payment_id: str) -> Snapshot:
        """How the payment with this id stands, also if only Blikk knows it.

        Raises:
            LedgerUnavailable: the ledger cannot be read.
        """
        record = await self.by_id(payment_id)
        return await (self._asked(self._not_ours(payment_id)) if record is None else self.up_to_date(record))

    async def up_to_date(self, record: PaymentRecord) -> Snapshot:
        """The payment as Blikk has it now; as it was known before, with an error, if that cannot be read."""
        may_change = record.failure_may_change(self._now())
        if not record.payment_id or (record.final and not may_change) or record.state is ClaimState.REFUSED:
            return self._as_known(record)
        snapshot = await self._asked(record)
        # That it failed is Blikk's own word, which stands.
        return self._as_known(record) if snapshot.error and may_change else snapshot

    async def _asked(self, payment: Payment) -> Snapshot:
        try:
            newest = await self._refresh(payment.payment_id, payment, attempts=STATUS_ATTEMPTS)
        except StatusUnavailable as error:
            return Snapshot(payment, error=error)
        self._poller.heard(newest)
        return Snapshot(newest, fresh=True)

    async def wait(
        self,
        payment_id: str,
        *,
        seconds: float,
        until: Callable[[Payment], bool],
        tick: Tick | None,
        first_reading_seconds: float,
    ) -> Snapshot:
        """See `PaymentService.wait`."""
        known = await self.by_id(payment_id)
        if known is not None:
            if known.failure_may_change(self._now()):
                with anyio.move_on_after(max(seconds, first_reading_seconds)):
                    return await self.up_to_date(known)
            if known.final or not known.payment_id:
                # There is nothing to wait for, or nothing to wait with.
                return self._as_known(known)
            payment_id = known.payment_id
        started = anyio.current_time()
        async with self._poller.watch(payment_id) as watch:
            while True:
                reading = watch.reading
                if reading is not None and _ends_wait(reading, until):
                    break
                elapsed_seconds = anyio.current_time() - started
                limit_seconds = seconds if reading else max(seconds, first_reading_seconds)
                if elapsed_seconds >= limit_seconds:
                    break
                if tick is not None:
                    await tick(elapsed_seconds, reading.payment if reading else known)
                with anyio.move_on_after(min(limit_seconds - elapsed_seconds, TICK_SECONDS)):
                    await watch.wait_for_change()
        before = known or self._not_ours(payment_id)
        if reading is None:
            return Snapshot(before, error=StatusUnavailable("Blikk did not answer in time"))
        if reading.payment is not None and not reading.payment.payment_id:
            return self._as_known(reading.payment)
        return Snapshot(reading.payment or before, fresh=reading.error is None, error=reading.error)

    async def _refresh(self, payment_id: str, before: Payment | None = None, *, attempts: int = 1) -> Payment:
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
        if before is not None and apply_answer(before, answer, self._now()) == before:
            # Most reads bring nothing new, and need no ledger.
            return before
        if (held := self._sender.heard(answer)) is not None:
            return held
        try:
            record = await self._run_blocking(lambda: self._ledger.seen(answer, now=self._now()))
        except LedgerUnavailable as error:
            raise StatusUnavailable(error.message, code=error.code) from error
        return record or apply_answer(self._not_ours(payment_id), answer, self._now())

    def _as_known(self, payment: Payment) -> Snapshot:
        held = self._sender.of_key(payment.idempotency_key) if isinstance(payment, PaymentRecord) else None
        unwritten = held is not None and held.done.is_set() and not held.recorded
        return with_state_error(Snapshot(payment, fresh=payment.final, recorded=not unwritten))

    def _not_ours(self, payment_id: str) -> Payment:
        """A payment that the ledger does not know, before Blikk said anything of it."""
        return Payment(state=ClaimState.UNKNOWN, updated_at=self._now(), payment_id=payment_id)


def _ends_wait(reading: Reading, until: Callable[[Payment], bool]) -> bool:
    if reading.error is not None:
        return reading.error.code in ENDS_A_WAIT
    payment = reading.payment
    return payment is not None and (payment.final or not payment.payment_id or until(payment))
