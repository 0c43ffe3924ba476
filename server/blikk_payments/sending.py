"""Send the one request of a claim, and write its outcome down whatever happens to its caller or to the ledger."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import anyio
import anyio.abc

from blikk_payments.channel.errors import NotSent, Refused, Uncertain
from blikk_payments.channel.wire import ChannelPayment, PaymentOrder
from blikk_payments.collaborators import Blocking, Channel
from blikk_payments.errors import ErrorCode, OutcomeUnknown
from blikk_payments.ledger.protocol import IllegalTransition, Ledger
from blikk_payments.ledger.stored import apply_answer
from blikk_payments.models import ClaimState, PaymentIntent, PaymentRecord
from blikk_payments.outcomes import Created, NotMade, Outcome, Unknown

SHUTDOWN_GRACE_SECONDS = 1.0
"""How long requests that are under way may still finish when the process ends."""

WRITE_AGAIN_FIRST_SECONDS = 0.25
WRITE_AGAIN_MOST_SECONDS = 5.0
"""Between two tries to write down an outcome that the ledger did not take; twice as long each time."""

MAX_UNWRITTEN = 1_000
"""Outcomes kept until the ledger takes them. Each had a claim that was written, so few are ever kept."""

REFUSAL_CODES = {401: ErrorCode.UNAUTHORIZED, 403: ErrorCode.WRONG_CHANNEL, 404: ErrorCode.NOT_FOUND}
"""Blikk's definite answers that have a word of their own; every other one is `rejected_by_blikk`."""

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Sending:
    """A request, and what this process knows of its payment.

    When `done` is set, `record` holds the outcome, and `recorded` says whether the ledger has it too.
    """

    intent: PaymentIntent
    order: PaymentOrder
    record: PaymentRecord
    done: anyio.Event
    outcome: Outcome | None = None
    recorded: bool = False


class Sender:
    """Sends claimed payments in tasks of its own: a caller that is cancelled leaves no answer unheard.

    An outcome that the ledger does not take is kept, told to everybody who asks, and written as soon as that can be.
    """

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
        self._unwritten: list[Sending] = []
        self._writing_again = False

    def start(self, intent: PaymentIntent, order: PaymentOrder, claimed: PaymentRecord) -> Sending:
        """Send the order of a claim that is already committed as *sending*."""
        sending = Sending(intent, order, claimed, anyio.Event())
        self._under_way.append(sending)
        self._tasks.start_soon(self._run, sending)
        return sending

    def of_key(self, idempotency_key: str) -> Sending | None:
        """The newest request under this key that is under way, or whose outcome is not written yet."""
        held = (*self._unwritten, *self._under_way)
        ours = [sending for sending in held if sending.record.idempotency_key == idempotency_key]
        return max(ours, key=lambda sending: sending.record.attempt, default=None)

    def of_id(self, payment_id: str) -> Sending | None:
        """The request that made this payment, if its outcome is not written yet."""
        return next((sending for sending in self._unwritten if sending.record.payment_id == payment_id), None)

    def newest(self, record: PaymentRecord) -> PaymentRecord:
        """What this process knows of the record's payment, if that is more than the ledger does."""
        held = self.of_key(record.idempotency_key)
        if held is None or held.outcome is None or held.record.attempt != record.attempt:
            return record
        return held.record

    def heard(self, answer: ChannelPayment) -> PaymentRecord | None:
        """Keep what Blikk says of a payment whose outcome is not written yet; None if there is no such payment."""
        sending = self.of_id(answer.payment_id)
        if sending is None:
            return None
        record = apply_answer(sending.record, answer, self._now())
        if record != sending.record:
            sending.record, sending.outcome = record, Created(answer)
        return sending.record

    async def drain(self) -> None:
        """Give the requests under way a moment to finish; those that do not will be written down as unknown."""
        with anyio.move_on_after(SHUTDOWN_GRACE_SECONDS, shield=True):
            for sending in tuple(self._under_way):
                await sending.done.wait()

    async def write_again(self) -> bool:
        """Write down the outcomes that the ledger did not take, in their order; whether it has all of them now."""
        for sending in tuple(self._unwritten):
            await self._record_outcome(sending)
            if not sending.recorded:
                return False
        return True

    async def _run(self, sending: Sending) -> None:
        outcome: Outcome = Unknown("shutdown")
        try:
            outcome = await self._post(sending.order)
        finally:
            # Also when the process ends meanwhile: what was heard, or that nothing was, is written down first.
            with anyio.CancelScope(shield=True):
                sending.record = outcome.apply(sending.record, self._now())
                sending.outcome = outcome
                self._hold(sending)
                self._under_way.remove(sending)
                await self._record_outcome(sending)
                sending.done.set()
        if not sending.recorded and not self._writing_again:
            self._writing_again = True
            self._tasks.start_soon(self._keep_writing)

    async def _post(self, order: PaymentOrder) -> Outcome:
        """Send it, and say what became of it. Raises nothing but cancellation."""
        try:
            return Created(await self._channel.create(order))
        except NotSent as error:
            return NotMade(ErrorCode.BLIKK_UNAVAILABLE, error.bank_text)
        except Refused as error:
            return NotMade(REFUSAL_CODES.get(error.status or 0, ErrorCode.REJECTED_BY_BLIKK), error.bank_text)
        except Uncertain as error:
            return Unknown(f"status {error.status}" if error.status else "no answer", error.bank_text)
        except Exception:
            # A defect of ours in mid-request: whatever it was, the payment may exist. It must not end the process.
            logger.exception("send_failed")
            return Unknown("defect")

    def _hold(self, sending: Sending) -> None:
        self._unwritten.append(sending)
        if len(self._unwritten) > MAX_UNWRITTEN:
            # The ledger has its claim, which is unknown before long: less than was known, and still the truth.
            del self._unwritten[0]

    async def _record_outcome(self, sending: Sending) -> None:
        """Write an outcome down. If the ledger fails, the outcome is held, and told as not recorded."""
        outcome, held = sending.outcome, sending.record
        assert outcome is not None
        try:
            recorded = await self._run_blocking(lambda: outcome.write(self._ledger, held, self._now()))
        except IllegalTransition as error:
            # The ledger knows better already: an operator was quicker than the answer, or the key was sent again.
            recorded = error.record
        except OutcomeUnknown:
            # The ledger does not believe the answer: the id is another payment's, or there may be two for this key.
            recorded = replace(held, state=ClaimState.UNKNOWN, payment_id="", status=None, approval_url="")
        except Exception:
            # Whatever it was, it must not end the process: that would take the outcome with it.
            logger.exception("an outcome could not be written down yet")
            return
        if sending.outcome is not outcome:
            # Blikk said something newer meanwhile, which is written next.
            return
        bank_text = held.bank_text if recorded.attempt == held.attempt else recorded.bank_text
        sending.record, sending.recorded = replace(recorded, bank_text=bank_text), True
        if sending in self._unwritten:
            self._unwritten.remove(sending)

    async def _keep_writing(self) -> None:
        pause_seconds = WRITE_AGAIN_FIRST_SECONDS
        while self._unwritten:
            await anyio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, WRITE_AGAIN_MOST_SECONDS)
            with anyio.CancelScope(shield=True):
                await self.write_again()
        self._writing_again = False
