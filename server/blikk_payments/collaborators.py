"""The collaborators that the service takes through its constructor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from blikk_payments.channel.wire import ChannelPayment, PaymentOrder
from blikk_payments.models import Confirmation, Question

T = TypeVar("T")


class Channel(Protocol):
    """Blikk's API."""

    def prepare(self) -> None:
        """Get ready to send: what takes time to load must not take it from a claim's deadline."""

    async def create(self, order: PaymentOrder) -> ChannelPayment:
        """One request, sent once, and not begun after the order's deadline: then it is `NotSent`."""
        ...

    async def read(self, payment_id: str, *, attempts: int = 3) -> ChannelPayment:
        """What Blikk says of a payment now."""
        ...


class Asker(Protocol):
    """The way to a person, if the client has one."""

    async def confirm(self, question: Question) -> Confirmation:
        """Put the question to a person; `YES` only for an explicit yes to exactly this question."""
        ...


class Blocking(Protocol):
    """Makes a ledger call, which may wait, for an event loop, which must not. A cancelled caller still waits for its end."""

    def __call__(self, call: Callable[[], T], /) -> Awaitable[T]: ...
