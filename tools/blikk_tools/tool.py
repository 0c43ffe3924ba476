"""What a tool is, and what one call of it may use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from blikk_payments.collaborators import Asker
from blikk_payments.models import Payment, PaymentIntent
from blikk_payments.service import PaymentService
from blikk_payments.snapshot import Snapshot
from blikk_tools.instructions import Presentation
from blikk_tools.link_history import LinkHistory, Opener
from blikk_tools.listing import PaymentList
from blikk_tools.result import Result, approval_step, of_snapshot


class Progress(Protocol):
    """Reports to the caller that a wait goes on; does nothing if the caller did not ask for it."""

    async def __call__(self, done_seconds: float, of_seconds: float, message: str) -> None: ...


class Background(Protocol):
    """Lets a wait go on after its call, for a client that fetches the result when there is one."""

    async def run(self, wait: Callable[[Callable[[Payment], None]], Awaitable[Result]]) -> Result | None:
        """The result of `wait` if it comes in a moment; None, with nothing started, if there is no room for one more.

        `wait` calls what it is given with every reading. Where it goes on for longer, this raises what ends the call.
        """
        ...


@dataclass(frozen=True, slots=True)
class WaitLimits:
    """How long `await_payment` waits when it is not told, and how long at most."""

    default_seconds: float = 25.0
    most_seconds: float = 45.0


@dataclass(slots=True)
class Call:
    """One call of a tool: its collaborators, and what became known of it on the way (for its result and its log line)."""

    service: PaymentService
    presentation: Presentation
    progress: Progress
    waits: WaitLimits = field(default_factory=WaitLimits)
    asker: Asker | None = None
    opener: Opener | None = None
    background: Background | None = None
    links: LinkHistory = field(default_factory=LinkHistory)
    intent: PaymentIntent | None = None
    payment_id: str = ""
    idempotency_key: str = ""
    cautions: list[str] = field(default_factory=list[str])
    blikk_says: str = ""

    def result(self, snapshot: Snapshot, *, note: str = "") -> Result:
        """Answer with a payment as it stands, and remember what the person is told by it.

        `note` is the code of one more warning.
        """
        payment = snapshot.payment
        self.cautions = self.presentation.cautions(payment.warnings)
        self.blikk_says = self.presentation.blikk_says(payment.warnings)
        step = approval_step(snapshot, self.presentation)
        replaces = self.links.record_given(payment.payment_id, step.link)
        lapsed = payment.link_may_have_lapsed(self.service.now())
        return of_snapshot(snapshot, self.presentation, note=note, replaces=replaces, lapsed=lapsed)


@dataclass(frozen=True, slots=True)
class Annotations:
    """What a tool does to the world. A test ties each of these to the code."""

    read_only: bool
    destructive: bool
    idempotent: bool
    open_world: bool


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as the server offers it. `search_hint`: what people say who want it, where a client defers its tools.

    It answers with a `Result`, or with a list. `card`: whether a host may show its result as the payment's card.
    """

    name: str
    title: str
    description: str
    search_hint: str
    annotations: Annotations
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any]
    run: Callable[[Call, Mapping[str, Any] | None], Awaitable[Result | PaymentList]]
    card: bool = True
