"""The bank behind the stand-in: the lives of payments, the person's answers, and the bank's own record.

Pure: time comes from the clock it is given, and statuses are worked out when somebody looks. Times are UTC.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Literal

from blikk_sandbox.bodies import Order
from blikk_sandbox.lives import MAGIC_AMOUNTS, TERMINAL, Life, Phase, ended_at_once
from blikk_sandbox.names import Names

MAX_PAYMENTS: Final = 10_000
MAX_RECEIVED: Final = 10_000
MAX_VIEWS: Final = 10_000
MAX_SECONDS_AHEAD: Final = 100 * 365 * 86_400.0

Clock = Callable[[], datetime]
Decision = Literal["approve", "reject", "cancel", "complete", "expire"]


class BankError(Exception):
    """The bank will not do that now; the text says why."""


def wall_clock() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


class MovableClock:
    """A clock that runs with `base` and can be moved forward."""

    def __init__(self, base: Clock) -> None:
        self._base = base
        self.seconds_ahead = 0.0

    def __call__(self) -> datetime:
        return self._base() + timedelta(seconds=self.seconds_ahead)

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`. Raises `ValueError` for a step back, and for one beyond the calendar."""
        if seconds < 0:
            raise ValueError("a clock does not go back")
        if self.seconds_ahead + seconds > MAX_SECONDS_AHEAD:
            raise ValueError("the clock would be more than a hundred years ahead")
        self.seconds_ahead += seconds


class Door(StrEnum):
    """What a person finds behind an approval link."""

    OPEN = "open"
    NOT_YET = "not_yet"
    ANSWERED = "answered"
    REPLACED = "replaced"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Payment:
    """One payment as the bank has it. `channel` is the number of the key that created it."""

    id: str
    channel: int
    order: Order
    life: Life
    created_at: datetime
    plan: tuple[Phase, ...]
    entered_at: datetime
    end_to_end_identification: str
    token: str = ""
    links: int = 0
    page_views: int = 0
    paid_at: datetime | None = None
    decision: str = ""
    reads: int = 0
    answered_tokens: set[str] = field(default_factory=set[str])
    history: list[tuple[str, datetime]] = field(default_factory=list[tuple[str, datetime]])

    @property
    def phase(self) -> Phase:
        return self.plan[0]

    @property
    def lapses_at(self) -> datetime | None:
        """When the present phase ends by itself."""
        return None if self.phase.seconds is None else self.entered_at + timedelta(seconds=self.phase.seconds)


@dataclass(slots=True)
class Receipt:
    """One POST that reached the sandbox, refused ones too. `status` is None when no answer was given."""

    at: datetime
    body: Any
    channel: int | None = None
    status: int | None = None
    payment_id: str | None = None


@dataclass(slots=True)
class View:
    """Somebody opened an approval link. `visitor` is who they say they are, `""` where they say nothing."""

    at: datetime
    payment_id: str | None
    door: Door
    visitor: str
    user_agent: str


@dataclass(slots=True)
class BankState:
    """What a bank knows. `made` counts the payments it ever made, `tokens` says whose link each one is."""

    made: int
    payments: list[Payment]
    tokens: dict[str, str]
    received: list[Receipt]
    views: list[View]


class Bank:
    """All payments and what was received. `choose_life` says which life the next ordinary payment leads."""

    def __init__(self, clock: Clock, choose_life: Callable[[], Life], names: Names) -> None:
        self._clock = clock
        self._choose_life = choose_life
        self._names = names
        self._payments: dict[str, Payment] = {}
        self._tokens: dict[str, str] = {}
        # Counts on when the record is cleared: a ledger that remembers an old id must not meet it again.
        self._made = 0
        self.received: deque[Receipt] = deque(maxlen=MAX_RECEIVED)
        self.views: deque[View] = deque(maxlen=MAX_VIEWS)

    def receive(self, body: Any) -> Receipt:
        """Write down a POST before anything is done about it."""
        receipt = Receipt(self._clock(), body)
        self.received.append(receipt)
        return receipt

    def create(self, order: Order, channel: int) -> Payment:
        """Make a payment. Raises `BankError` when the stand-in holds as many as it can."""
        if len(self._payments) >= MAX_PAYMENTS:
            raise BankError(f"the sandbox holds {MAX_PAYMENTS} payments and no more")
        magic = MAGIC_AMOUNTS.get(order.amount)
        life = ended_at_once(magic) if magic else self._choose_life()
        now = self._clock()
        self._made += 1
        payment_id = f"pay_{self._names.text_of('payment', str(self._made))}"
        end_to_end = self._names.bytes_of("end to end", payment_id)[:16].hex()
        payment = Payment(payment_id, channel, order, life, now, life.opening, now, end_to_end)
        self._payments[payment.id] = payment
        self._enter(payment, life.opening, now)
        return payment

    def find(self, payment_id: str, *, show_hidden: bool = True) -> Payment | None:
        """The payment as it stands now; unless `show_hidden`, not one that the bank is still slow to show."""
        payment = self._payments.get(payment_id)
        if payment is None:
            return None
        hidden_until = payment.created_at + timedelta(seconds=payment.life.hidden_seconds)
        if not show_hidden and self._clock() < hidden_until:
            return None
        self._bring_up_to_date(payment)
        return payment

    def behind(self, token: str) -> tuple[Door, Payment | None]:
        """What a person finds who opens the link with this token."""
        payment = self.find(self._tokens.get(token, ""))
        if payment is None:
            return Door.UNKNOWN, None
        if token in payment.answered_tokens:
            return Door.ANSWERED, payment
        if token != payment.token:
            return Door.REPLACED, payment
        if payment.phase.status in TERMINAL:
            return (Door.ANSWERED if payment.decision else Door.EXPIRED), payment
        return (Door.OPEN if payment.phase.asks else Door.NOT_YET), payment

    def saw(self, door: Door, payment: Payment | None, visitor: str, user_agent: str) -> None:
        """Write down that somebody opened a link."""
        if payment is not None:
            payment.page_views += 1
        self.views.append(View(self._clock(), payment and payment.id, door, visitor, user_agent))

    def answer(self, payment: Payment, decision: Decision) -> None:
        """Do what the person decided. Raises `BankError` if the payment does not wait for that."""
        self._bring_up_to_date(payment)
        now, asks = self._clock(), payment.phase.asks
        if payment.phase.status in TERMINAL:
            raise BankError(f"the payment has ended: {payment.phase.status}")
        if decision == "expire":
            return self._enter(payment, (Phase("ERROR"),), now)
        if asks != ("onboard" if decision == "complete" else "approve"):
            raise BankError(f"the payment does not wait for that: {payment.phase.status}")
        payment.decision = decision
        payment.answered_tokens.add(payment.token)
        plans = {
            "approve": payment.life.after_approval,
            "complete": payment.life.after_onboarding,
            "reject": (Phase("REJECTED"),),
            "cancel": (Phase("CANCELLED"),),
        }
        return self._enter(payment, plans[decision], now)

    def payments(self) -> list[Payment]:
        """Every payment as it stands now, oldest first."""
        for payment in self._payments.values():
            self._bring_up_to_date(payment)
        return list(self._payments.values())

    def forget_everything(self) -> None:
        """As if nothing had ever been received."""
        self._payments.clear()
        self._tokens.clear()
        self.received.clear()
        self.views.clear()

    def dump(self) -> BankState:
        """All that the bank knows."""
        return BankState(self._made, self.payments(), dict(self._tokens), list(self.received), list(self.views))

    def load(self, state: BankState) -> None:
        """Know what another bank knew, and nothing else."""
        self.forget_everything()
        self._made = max(self._made, state.made)
        self._payments.update({payment.id: payment for payment in state.payments})
        self._tokens.update(state.tokens)
        self.received.extend(state.received)
        self.views.extend(state.views)

    def _bring_up_to_date(self, payment: Payment) -> None:
        now = self._clock()
        while (ends_at := payment.lapses_at) is not None and now >= ends_at:
            self._enter(payment, payment.plan[1:], ends_at)

    def _enter(self, payment: Payment, plan: tuple[Phase, ...], at: datetime) -> None:
        payment.plan, payment.entered_at = plan, at
        payment.history.append((payment.phase.status, at))
        if payment.phase.status == "SUCCESS":
            payment.paid_at = at
        if payment.phase.link == "new":
            payment.links += 1
            payment.token = self._names.text_of("link", f"{payment.id}|{payment.links}", size=24)
            self._tokens[payment.token] = payment.id
