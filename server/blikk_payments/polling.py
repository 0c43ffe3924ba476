"""Watching payments: one poller a payment and process, however many wait for it.

The intervals are those of `schedule.py`, from the status and the time since it changed; after 429 and 5xx all pollers of the
process back off together.
"""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import anyio.abc

from blikk_payments.channel.backoff import MAX_RETRY_AFTER_SECONDS
from blikk_payments.errors import ErrorCode, StatusUnavailable
from blikk_payments.models import Payment
from blikk_payments.schedule import PollSchedule

ENDS_A_WAIT = frozenset({"unauthorized", "wrong_channel", "not_found"})
"""Answers to a read that the next read will not change: 401, 403 and 404."""

MAX_READS_AT_ONCE = 16
ROUTINE_GAP_SECONDS = 0.008
"""Between the starts of two routine reads, whatever the payment: 125 a second at most, some 600 payments at full pace."""

BACKOFF_FIRST_SECONDS = 2.0
BACKOFF_MOST_SECONDS = 30.0
logger = logging.getLogger(__name__)

FRESH_SECONDS = 1.0
"""A reading this young serves a newcomer; an older one is taken again at once."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the last read gave: a payment, or the error and (if there ever was one) the payment before it."""

    payment: Payment | None
    error: StatusUnavailable | None
    at: float


@dataclass(slots=True)
class _Topic:
    payment_id: str
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    waiters: int = 0
    changed_at: float = 0.0
    reading: Reading | None = None
    changed: anyio.Event = field(default_factory=anyio.Event)
    poke: anyio.Event = field(default_factory=anyio.Event)
    queued: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    def wake(self) -> None:
        """Let everybody who waits look at the reading."""
        changed, self.changed = self.changed, anyio.Event()
        changed.set()


class Watch:
    """One waiter's view of a payment that is being polled."""

    def __init__(self, topic: _Topic, joined_at: float) -> None:
        self._topic = topic
        self._joined_at = joined_at

    @property
    def reading(self) -> Reading | None:
        """The newest reading that is fresh enough for this waiter; None until there is one."""
        reading = self._topic.reading
        if reading is None or reading.at < self._joined_at - FRESH_SECONDS:
            return None
        return reading

    async def wait_for_change(self) -> None:
        """Return when the payment or the read error changes."""
        await self._topic.changed.wait()


class Poller:
    """Polls every watched payment once for all of its waiters, and stops when the last of them is gone."""

    def __init__(
        self,
        read: Callable[[str, Payment | None], Awaitable[Payment]],
        tasks: anyio.abc.TaskGroup,
        *,
        schedule: PollSchedule,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._read = read
        self._tasks = tasks
        self._schedule = schedule
        self._jitter = jitter
        self._topics: dict[str, _Topic] = {}
        self._slots = anyio.Semaphore(MAX_READS_AT_ONCE)
        self._routine = anyio.Lock()
        self._not_before = 0.0
        self._next_routine_at = 0.0
        self._failures = 0

    @asynccontextmanager
    async def watch(self, payment_id: str) -> AsyncGenerator[Watch]:
        """Keep the payment polled while the context is open."""
        topic = self._topics.get(payment_id)
        now = anyio.current_time()
        if topic is None:
            topic = self._topics[payment_id] = _Topic(payment_id)
            self._tasks.start_soon(self._run, topic)
        elif topic.reading is not None and topic.reading.at < now - FRESH_SECONDS:
            topic.poke.set()
            topic.queued.cancel()
        topic.waiters += 1
        try:
            yield Watch(topic, now)
        finally:
            topic.waiters -= 1
            if topic.waiters == 0 and self._topics.get(payment_id) is topic:
                del self._topics[payment_id]
                topic.scope.cancel()

    def heard(self, payment: Payment) -> None:
        """Tell those who wait for a payment what was just read of it for somebody else."""
        topic = self._topics.get(payment.payment_id)
        if topic is None:
            return
        before, topic.reading = topic.reading, Reading(payment, None, anyio.current_time())
        if _differs(before, topic.reading):
            topic.changed_at = topic.reading.at
            topic.wake()

    async def _run(self, topic: _Topic) -> None:
        with topic.scope:
            topic.changed_at = anyio.current_time()
            while True:
                if topic.reading is not None and not topic.poke.is_set():
                    # A newcomer cuts the pause short: its first read does not queue behind routine reads.
                    with anyio.CancelScope() as topic.queued:
                        await self._routine_turn()
                await anyio.sleep_until(self._not_before)
                async with self._slots:
                    before, after = topic.reading, await self._take(topic)
                topic.reading = after
                if _differs(before, after):
                    topic.changed_at = after.at
                if _differs(before, after) or before is None or topic.poke.is_set():
                    topic.wake()
                topic.poke = anyio.Event()
                status = after.payment.status if after.payment else None
                with anyio.move_on_after(self._schedule.delay(status, after.at - topic.changed_at, self._jitter())):
                    await topic.poke.wait()

    async def _routine_turn(self) -> None:
        """Wait until a routine read may start: they are spread out, so that other calls find the process free."""
        # One after the other: those whose time came while the process was busy must not start all at once.
        async with self._routine:
            await anyio.sleep_until(max(self._not_before, self._next_routine_at))
            self._next_routine_at = anyio.current_time() + ROUTINE_GAP_SECONDS

    async def _take(self, topic: _Topic) -> Reading:
        before = topic.reading.payment if topic.reading else None
        try:
            payment = await self._read(topic.payment_id, before)
        except StatusUnavailable as error:
            if error.code not in ENDS_A_WAIT:
                self._back_off(error.retry_after_seconds)
            return Reading(before, error, anyio.current_time())
        except Exception:
            # A defect of ours must cost this reading, not every payment that the process is watching.
            logger.exception("reading a payment failed unexpectedly")
            self._back_off(0.0)
            error = StatusUnavailable("the status could not be read", code=ErrorCode.INTERNAL_ERROR)
            return Reading(before, error, anyio.current_time())
        self._failures = 0
        return Reading(payment, None, anyio.current_time())

    def _back_off(self, retry_after_seconds: float) -> None:
        seconds = min(BACKOFF_MOST_SECONDS, BACKOFF_FIRST_SECONDS * 2 ** min(self._failures, 8))
        self._failures += 1
        seconds = max(min(retry_after_seconds, MAX_RETRY_AFTER_SECONDS), seconds * (0.75 + 0.5 * self._jitter()))
        self._not_before = max(self._not_before, anyio.current_time() + seconds)


def _differs(before: Reading | None, after: Reading) -> bool:
    if before is None or before.payment is None or after.payment is None:
        return True
    return (before.payment.status, before.payment.approval_url, before.error and before.error.code) != (
        after.payment.status,
        after.payment.approval_url,
        after.error and after.error.code,
    )
