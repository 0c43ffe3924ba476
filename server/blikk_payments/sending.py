"""The one request of a claim: sent once, and its outcome written down whatever happens to the caller."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import anyio
import anyio.abc

from blikk_payments.channel.errors import NotSent, Refused, Uncertain
from blikk_payments.channel.wire import ChannelPayment, PaymentOrder
from blikk_payments.collaborators import Blocking, Channel
from blikk_payments.errors import ErrorCode, OutcomeUnknown, PaymentsError
from blikk_payments.ledger.protocol import IllegalTransition, Ledger
from blikk_payments.models import ClaimState, PaymentRecord

SHUTDOWN_GRACE_SECONDS = 1.0
"""How long requests that are under way may still finish when the process ends."""

REFUSAL_CODES = {401: ErrorCode.UNAUTHORIZED, 403: ErrorCode.WRONG_CHANNEL, 404: ErrorCode.NOT_FOUND}
"""Blikk's definite answers that have a word of their own; every other one is `rejected_by_blikk`."""

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Sending:
    """A request under way. When `done` is set, `record` holds the outcome and `kept` whether the ledger has it too."""

    order: PaymentOrder
    record: PaymentRecord
    done: anyio.Event
    kept: bool = True


@dataclass(slots=True, eq=False)
class Idle:
    """A task that has sent and waits to be given the next request."""

    given: anyio.Event
    sending: Sending | None = None


class Sender:
    """Sends claimed payments in tasks of its own: a caller that is cancelled leaves no answer unheard."""

    def __init__(
        self,
        *,
        channel: Channel,
        ledger: Ledger,
        tasks: anyio.abc.TaskGroup,
        now: Callable[[], datetime],
        run_blocking: Blocking,
    ) -> None:
        self._channel = channel
        self._ledger = ledger
        self._tasks = tasks
        self._now = now
        self._run_blocking = run_blocking
        self._under_way: list[Sending] = []
        self._idle: Idle | None = None

    def start(self, order: PaymentOrder, claimed: PaymentRecord) -> Sending:
        """Send the order of a claim that is already committed as *sending*."""
        sending = Sending(order, claimed, anyio.Event())
        self._under_way.append(sending)
        idle, self._idle = self._idle, None
        if idle is None:
            self._tasks.start_soon(self._work, sending)
        else:
            idle.sending = sending
            idle.given.set()
        return sending

    async def drain(self) -> None:
        """Give the requests under way a moment to finish; those that do not will be written down as unknown."""
        with anyio.move_on_after(SHUTDOWN_GRACE_SECONDS, shield=True):
            for sending in tuple(self._under_way):
                await sending.done.wait()

    async def _work(self, sending: Sending | None) -> None:
        """Send, and be there for the next one if no other task is: that saves most of what a task of its own costs."""
        while sending is not None:
            await self._run(sending)
            # Whom it paid is nothing to be kept while it waits.
            sending = None
            if self._idle is None:
                sending = await self._next()

    async def _next(self) -> Sending | None:
        self._idle = idle = Idle(anyio.Event())
        try:
            await idle.given.wait()
        except anyio.get_cancelled_exc_class():
            self._idle = None
            if idle.sending is not None:
                # It was given after the end began: sending is cancelled, too, and written down as what that is.
                await self._run(idle.sending)
            raise
        return idle.sending

    async def _run(self, sending: Sending) -> None:
        key, attempt = sending.record.idempotency_key, sending.record.attempt
        try:
            await self._send(sending)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await self._keep(
                    sending, lambda: self._ledger.unknown(key, attempt, reason="shutdown", now=self._now())
                )
            raise
        except Exception:
            # A defect of ours in mid-request: whatever it was, the payment may exist. It must not end the process.
            logger.exception("sending failed unexpectedly")
            await self._keep(sending, lambda: self._ledger.unknown(key, attempt, reason="defect", now=self._now()))
        finally:
            self._under_way.remove(sending)
            if sending.record.state is ClaimState.SENDING:
                # Where nothing better is known, the truth about a request is that nobody knows.
                sending.record = sending.record._replace(state=ClaimState.UNKNOWN)
            sending.done.set()

    async def _send(self, sending: Sending) -> None:
        claimed = sending.record
        key, attempt = claimed.idempotency_key, claimed.attempt

        def refused(code: str, bank_text: str) -> Callable[[], PaymentRecord]:
            sending.record = claimed._replace(state=ClaimState.REFUSED, refusal_code=code, bank_text=bank_text)
            return lambda: self._ledger.refused(key, attempt, code=code, bank_text=bank_text, now=self._now())

        try:
            answer = await self._channel.create(sending.order)
        except NotSent as error:
            await self._keep(sending, refused(ErrorCode.BLIKK_UNAVAILABLE, error.bank_text))
        except Refused as error:
            code = REFUSAL_CODES.get(error.status or 0, ErrorCode.REJECTED_BY_BLIKK)
            await self._keep(sending, refused(code, error.bank_text))
        except Uncertain as error:
            reason = f"status {error.status}" if error.status else "no answer"
            sending.record = sending.record._replace(bank_text=error.bank_text)
            await self._keep(sending, lambda: self._ledger.unknown(key, attempt, reason=reason, now=self._now()))
        else:
            sending.record = with_answer(claimed, answer)
            await self._keep(sending, lambda: self._ledger.created(key, attempt, answer, now=self._now()))

    async def _keep(self, sending: Sending, write: Callable[[], PaymentRecord]) -> None:
        """Write an outcome down. A ledger that fails now cannot unmake the outcome: it is told all the same."""
        try:
            kept = await self._run_blocking(write)
        except IllegalTransition as error:
            # The ledger knows better already: an operator was quicker than the answer, say.
            if error.record.attempt == sending.record.attempt:
                sending.record = error.record
            else:
                sending.kept = False
        except PaymentsError as error:
            logger.exception("an outcome could not be written down")
            sending.kept = False
            if isinstance(error, OutcomeUnknown):
                # The ledger does not believe the answer (its id belongs to another payment): nobody knows, then.
                sending.record = sending.record._replace(state=ClaimState.UNKNOWN, payment_id="", status=None)
        else:
            said = sending.record.bank_text
            sending.record = kept if kept.bank_text == said else kept._replace(bank_text=said)


def with_answer(record: PaymentRecord, answer: ChannelPayment) -> PaymentRecord:
    """The record with what Blikk just said of it."""
    return record._replace(
        state=ClaimState.CREATED,
        payment_id=answer.payment_id,
        status=answer.status,
        approval_url=answer.redirect_url,
        bank_text=answer.bank_text,
    )
