"""What the tests of rules, service and tools share: a scripted channel, a ledger that can break, a person, virtual time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import anyio
import anyio.lowlevel
from trio.testing import MockClock

from blikk_payments.channel.errors import ReadFailed, ReadRefused
from blikk_payments.channel.wire import ChannelPayment, PaymentOrder, Status
from blikk_payments.errors import LedgerUnavailable
from blikk_payments.ledger.opening import SqliteLedger
from blikk_payments.ledger.protocol import Ledger
from blikk_payments.models import Confirmation, PaymentRecord, Question
from blikk_payments.policy import Policy
from blikk_payments.service import Blocking, Channel, PaymentService
from tests.payments.factories import KEY, NOON, answer

LEDGER = "ledger.sqlite3"

REAL_PATIENCE_SECONDS = 60
VIRTUAL_PATIENCE_SECONDS = 400 * 86_400
"""When a test has come to a standstill: under virtual time, which would spin for ever, at once."""

T = TypeVar("T")

Step = ChannelPayment | Exception | Callable[[], Awaitable["Step"]]
"""What happens to one request: an answer, an error, or one of these after something else."""


def virtual_time() -> tuple[str, dict[str, Any]]:
    """The anyio back end of a test in which a sleep takes no time."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def virtual_now() -> datetime:
    """The wall clock that goes with virtual time."""
    return NOON + timedelta(seconds=anyio.current_time())


async def inline(call: Callable[[], T]) -> T:
    """Run a ledger call at once: a worker thread would let virtual time run away."""
    await anyio.lowlevel.checkpoint()
    return call()


def after(seconds: float, step: Step) -> Step:
    """The step, but not before so many seconds have gone by."""

    async def wait() -> Step:
        await anyio.sleep(seconds)
        return step

    return wait


def when(event: anyio.Event, step: Step) -> Step:
    """The step, once the event is set."""

    async def wait() -> Step:
        await event.wait()
        return step

    return wait


async def never() -> Step:
    """A request that is taken and never answered."""
    await anyio.sleep_forever()
    raise AssertionError


class ScriptedChannel(Channel):
    """Blikk as a test writes it: counts what is sent; creates follow the script, then go on with DRAFT."""

    def __init__(self, *creates: Step) -> None:
        self.orders: list[PaymentOrder] = []
        self.read_at: list[float] = []
        self.read_ids: list[str] = []
        self.creates = deque(creates)
        self.reads: deque[Step] = deque()
        self.every_read: Step | None = None
        self.before_create: Callable[[PaymentOrder], None] = lambda order: None
        self._told: dict[str, list[tuple[float, ChannelPayment]]] = {}

    def tell(self, payment_id: str, status: Status, url: str = "", *, at: float = 0.0, bank_text: str = "") -> None:
        """From second `at` on, this is how the payment stands."""
        told = self._told.setdefault(payment_id, [])
        told.append((at, answer(status, url, payment_id=payment_id, bank_text=bank_text)))

    async def create(self, order: PaymentOrder) -> ChannelPayment:
        """POST /payment."""
        self.orders.append(order)
        number = len(self.orders)
        self.before_create(order)
        await anyio.lowlevel.checkpoint()
        made = await _play(self.creates.popleft() if self.creates else answer())
        if not made.payment_id:
            made = answer(made.status, made.redirect_url, payment_id=f"pay-{number}", bank_text=made.bank_text)
        # What a test has told of the payment in advance is the newer truth.
        self._told.setdefault(made.payment_id, []).insert(0, (0.0, made))
        return made

    async def read(self, payment_id: str, *, attempts: int = 3) -> ChannelPayment:
        """GET /payment/{paymentId}."""
        now = anyio.current_time()
        self.read_at.append(now)
        self.read_ids.append(payment_id)
        await anyio.lowlevel.checkpoint()
        if self.reads:
            return await _play(self.reads.popleft())
        if self.every_read is not None:
            return await _play(self.every_read)
        told = [said for at, said in self._told.get(payment_id, []) if at <= now]
        if not told:
            raise ReadRefused("Blikk refused to answer (HTTP 404).", status=404)
        return told[-1]


async def _play(step: Step) -> ChannelPayment:
    while not isinstance(step, (ChannelPayment, Exception)):
        step = await step()
    if isinstance(step, Exception):
        raise step
    return step


def unread(status: int | None = 503, *, retry_after_seconds: float = 0.0) -> ReadFailed | ReadRefused:
    """A GET that was answered with something else than the payment's status."""
    if status in (401, 403, 404):
        return ReadRefused(f"Blikk refused to answer (HTTP {status}).", status=status)
    return ReadFailed("Blikk did not answer the question.", status=status, retry_after_seconds=retry_after_seconds)


class BreakableLedger(SqliteLedger):
    """The real ledger, of which a test can break single methods."""

    def __init__(self, path: Path) -> None:
        self.broken: set[str] = set()
        super().__init__(path)

    def __getattribute__(self, name: str) -> Any:
        """Find the method, unless it is broken."""
        if name in object.__getattribute__(self, "__dict__").get("broken", ()):
            raise LedgerUnavailable("The ledger cannot be used.")
        return super().__getattribute__(name)


@dataclass
class Person:
    """Somebody who can be asked, and who always says the same."""

    yes: bool = True
    says: Confirmation | None = None
    questions: list[Question] = field(default_factory=list[Question])
    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def confirm(self, question: Question) -> Confirmation:
        """Put the question."""
        self.questions.append(question)
        if self.meanwhile is not None:
            await self.meanwhile()
        return self.says or (Confirmation.YES if self.yes else Confirmation.DECLINED)


@dataclass(frozen=True)
class EvenSchedule:
    """One of a single interval: the same pause between any two reads, whatever it is asked by."""

    seconds: float

    def delay(self, *circumstances: object) -> float:
        """Seconds until the next read."""
        return self.seconds


@dataclass
class ServiceHarness:
    """A service and what it works with."""

    service: PaymentService
    channel: ScriptedChannel
    ledger: BreakableLedger

    def record(self, key: str = KEY) -> PaymentRecord | None:
        """What the ledger has under the key; only under virtual time."""
        return self.ledger.by_key(key, now=virtual_now())

    @property
    def posts(self) -> int:
        """How often a payment was sent."""
        return len(self.channel.orders)


def service_over(
    channel: Channel, ledger: Ledger, policy: Policy | None = None, *, real_time: bool = False, **options: Any
) -> PaymentService:
    """The one place where tests make a service. Under virtual time it reads once a second and uses no threads."""
    run_blocking = None if real_time else cast("Blocking", inline)
    given: dict[str, Any] = {
        "schedule": EvenSchedule(0.01 if real_time else 1.0),
        "now": (lambda: datetime.now(UTC)) if real_time else virtual_now,
        "since_boot": time.monotonic if real_time else anyio.current_time,
        "run_blocking": run_blocking,
    }
    return PaymentService(channel=channel, ledger=ledger, policy=policy or Policy(), **{**given, **options})


@asynccontextmanager
async def paying(
    tmp_path: Path, *creates: Step, channel: ScriptedChannel | None = None, real_time: bool = False, **rules: Any
) -> AsyncGenerator[ServiceHarness]:
    """A service over a scripted channel and a real ledger; `rules` are the policy's. Opened again, it is a restart."""
    channel = channel or ScriptedChannel(*creates)
    patience = REAL_PATIENCE_SECONDS if real_time else VIRTUAL_PATIENCE_SECONDS
    with anyio.fail_after(patience), BreakableLedger(tmp_path / LEDGER) as ledger:
        async with service_over(channel, ledger, Policy(**rules), real_time=real_time) as service:
            yield ServiceHarness(service, channel, ledger)
