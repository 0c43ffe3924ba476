"""What a tool is, what one call of it works with, and what it is answered with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol

from blikk_payments.collaborators import Asker
from blikk_payments.models import Payment
from blikk_payments.service import PaymentService
from blikk_payments.snapshot import Snapshot
from blikk_tools.arguments import A, input_schema
from blikk_tools.instructions import Presentation
from blikk_tools.link_history import LinkHistory, Opener
from blikk_tools.listing import PaymentList
from blikk_tools.result import Result, approval_step, of_snapshot


class Progress(Protocol):
    """Reports to the caller that a wait goes on; does nothing if the caller did not ask for it."""

    async def __call__(self, done_seconds: float, of_seconds: float, message: str) -> None: ...


class Background(Protocol):
    """Lets a wait go on after its call, for a client that fetches the result when there is one."""

    async def run(self, wait: Callable[[Callable[[Payment], None]], Awaitable[Reply]]) -> Reply | None:
        """What `wait` comes to if that comes in a moment; None, with nothing started, if there is no room for one more.

        `wait` calls what it is given with every reading. Where it goes on for longer, this raises what ends the call.
        """
        ...


@dataclass(frozen=True, slots=True)
class WaitLimits:
    """How long `await_payment` waits when it is not told, and how long at most."""

    default_seconds: float = 25.0
    most_seconds: float = 45.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What a call is answered with: its result, and what only a card is told beside it."""

    result: Result
    cautions: tuple[str, ...] = ()
    blikk_says: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """What one call of a tool works with."""

    service: PaymentService
    presentation: Presentation
    progress: Progress
    waits: WaitLimits = field(default_factory=WaitLimits)
    asker: Asker | None = None
    opener: Opener | None = None
    background: Background | None = None
    links: LinkHistory = field(default_factory=LinkHistory)

    def reply(self, snapshot: Snapshot, *, warning: str = "") -> Reply:
        """Answer with a payment as it stands, and remember the link that the person is given by it.

        `warning` is the code of one more.
        """
        payment = snapshot.payment
        approval = approval_step(snapshot, self.presentation)
        replaces = self.links.record_given(payment.payment_id, approval.link)
        approval = replace(approval, replaces=replaces, lapsed=payment.link_may_have_lapsed(self.service.now()))
        return Reply(
            of_snapshot(snapshot, approval, self.presentation, warning=warning),
            tuple(self.presentation.cautions(payment.warnings)),
            self.presentation.blikk_says(payment.warnings),
        )


@dataclass(frozen=True, slots=True)
class Annotations:
    """What a tool does to the world. A test ties each of these to the code."""

    read_only: bool
    destructive: bool
    idempotent: bool
    open_world: bool


@dataclass(frozen=True, slots=True)
class Tool(Generic[A]):
    """A tool as the server offers it. `search_hint`: what people say who want it, where a client defers its tools.

    It answers with a `Reply`, or with a list. `card`: whether a host may show its result as the payment's card.
    """

    name: str
    title: str
    description: str
    search_hint: str
    annotations: Annotations
    arguments: type[A]
    output_schema: Mapping[str, Any]
    run: Callable[[Call, A], Awaitable[Reply | PaymentList]]
    card: bool = True

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema of the arguments."""
        return input_schema(self.arguments)
