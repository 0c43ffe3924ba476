"""`await_payment`: wait, for a bounded time, until a payment is final or a person has to act.

Where the client can open a link for the person, it is asked to, once a link, and the waiting goes on beside it.
Everywhere else the ordinary result carries the link. Either way only Blikk's status says what was paid.

Where the client can come back for a result, a wait for a person who knows goes on in the background.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Annotated, Final, TypeVar

import anyio
from pydantic import Field, field_validator

from blikk_payments.channel.links import Link
from blikk_payments.channel.wire import NEEDS_PERSON
from blikk_payments.models import LINK_MAY_HAVE_LAPSED_SECONDS, Payment
from blikk_payments.service import FIRST_READING_SECONDS
from blikk_payments.snapshot import Snapshot
from blikk_tools.arguments import Arguments, Subject
from blikk_tools.get_payment_status import checked_payment_id
from blikk_tools.instructions import Shown
from blikk_tools.link_history import Answer, ElicitedLink, Opener
from blikk_tools.outcomes import HumanAction
from blikk_tools.result import approval_step, output_schema
from blikk_tools.tool import Annotations, Call, Reply, Tool

SETTLING_SECONDS = 300.0
"""What is left for the money to move if the person approved at the last moment."""

WATCH_SECONDS = LINK_MAY_HAVE_LAPSED_SECONDS + SETTLING_SECONDS
"""How long a wait in the background lasts; like any other it then ends with the state so far."""

WARNINGS: Final[Mapping[Answer, str]] = {"decline": "declined", "cancel": "cancelled"}
"""Codes of what to tell of a person who did not agree to open the link."""

A = TypeVar("A")
B = TypeVar("B")

DESCRIPTION = (
    "Wait until a payment is final. Returns early when a person has to act, unless human_informed is true. "
    "When the time is up it returns the state so far: call it again."
)


class AwaitPaymentArguments(Arguments):
    """What `await_payment` takes."""

    payment_id: Annotated[str, Field(description="From create_payment")]
    wait_seconds: Annotated[int, Field(ge=0, description="How long to wait; 0: the default")] = 0
    human_informed: Annotated[bool, Field(description="True once the person has seen human_instruction")] = False

    @field_validator("payment_id")
    @classmethod
    def _payment_id(cls, value: str) -> str:
        return checked_payment_id(value)

    def subject(self) -> Subject:
        """The payment that is waited for."""
        return Subject(self.payment_id)


async def run(call: Call, arguments: AwaitPaymentArguments) -> Reply:
    """Wait and tell how it stands.

    Raises:
        PaymentsError: the ledger cannot be read.
    """
    payment_id = arguments.payment_id
    if (record := await call.service.overview.under_key(payment_id)) is not None:
        if not record.payment_id:
            # Blikk has given no id yet, or never will: there is nothing that could be waited for.
            return call.reply(await call.service.status(idempotency_key=record.idempotency_key))
        payment_id = record.payment_id
    seconds = min(arguments.wait_seconds or call.waits.default_seconds, call.waits.most_seconds)
    waiting = _Waiting(call, payment_id, seconds, informed=arguments.human_informed)
    if arguments.human_informed and (reply := await waiting.in_background()) is not None:
        return reply
    snapshot = await waiting.look()
    warning = ""
    while call.opener is not None and not warning and (asked := waiting.link_to_ask_about(snapshot)):
        snapshot, warning = await waiting.ask_to_open(call.opener, *asked, snapshot)
    if waiting.background is not None and waiting.was_opened(snapshot.payment):
        if (reply := await waiting.in_background(snapshot.payment)) is not None:
            return reply
        snapshot = await waiting.look()
    await waiting.finish(snapshot)
    return call.reply(snapshot, warning=warning)


class _Waiting:
    """One wait: how much of its time is left, and whether the person knows what they have to do."""

    def __init__(self, call: Call, payment_id: str, seconds: float, *, informed: bool) -> None:
        self._call = call
        self._payment_id = payment_id
        self._seconds = seconds
        self._started = anyio.current_time()
        self._informed = informed
        self.background = call.background

    async def look(self, *, meanwhile_asked: str = "") -> Snapshot:
        """Wait for what is left of the time, or until a person has to act who does not know of it.

        `meanwhile_asked`: the link that the client is being asked to open.
        """

        def stop(payment: Payment) -> bool:
            asked = meanwhile_asked != "" and payment.approval_url == meanwhile_asked
            return payment.status in NEEDS_PERSON and not asked and not self._knows(payment)

        async def tick(elapsed_seconds: float, payment: Payment | None) -> None:
            what = "person" if payment is not None and payment.status in NEEDS_PERSON else "bank"
            done = anyio.current_time() - self._started
            await self._call.progress(done, self._seconds, self._call.presentation.waiting(what))

        remaining_seconds = self._remaining_seconds()
        # A later look gets its first answer within the time of the whole wait, however many links it asked about.
        first = min(FIRST_READING_SECONDS, remaining_seconds + FIRST_READING_SECONDS)
        return await self._call.service.wait(
            self._payment_id,
            seconds=max(0.0, remaining_seconds),
            until=stop,
            tick=tick,
            first_reading_seconds=max(0.0, first),
        )

    async def in_background(self, informed_of: Payment | None = None) -> Reply | None:
        """Wait for as long as it takes a person, without holding up the call; None where that cannot be.

        `informed_of`: what the person knows; by default what the first reading says.
        """
        if self.background is None:
            return None
        reply = await self.background.run(partial(self._watch, informed_of))
        if reply is None:
            self.background = None
        return reply

    async def _watch(self, informed_of: Payment | None, seen: Callable[[Payment], None]) -> Reply:
        """Wait for the end, or until a person has to do something else than they know of: there is no call that ends."""

        def stop(payment: Payment) -> bool:
            nonlocal informed_of
            informed_of = informed_of or payment
            seen(payment)
            is_known = (payment.status, payment.approval_url) == (informed_of.status, informed_of.approval_url)
            return payment.status in NEEDS_PERSON and not is_known

        return self._call.reply(await self._call.service.wait(self._payment_id, seconds=WATCH_SECONDS, until=stop))

    def was_opened(self, payment: Payment) -> bool:
        """Whether the person agreed to open the link that is waiting for them."""
        elicited = self._elicited(payment)
        return payment.status in NEEDS_PERSON and elicited is not None and elicited.answer == "accept"

    def link_to_ask_about(self, snapshot: Snapshot) -> tuple[Link, HumanAction] | None:
        """The link that the client has to be asked to open now, if there is one it was not asked about yet."""
        step = approval_step(snapshot, self._call.presentation)
        # A client that has not answered by the end of the wait is not asked over and over: the result has the link.
        if step.link is None or self._informed or self._remaining_seconds() <= 0 or self._elicited(snapshot.payment):
            return None
        cautions = self._call.presentation.cautions(snapshot.payment.warnings)
        if cautions and not self._call.links.was_given(self._payment_id):
            # A client may show a link and little of its words: a caution has to be in a result first.
            return None
        return step.link, step.action

    async def ask_to_open(
        self, opener: Opener, link: Link, action: HumanAction, snapshot: Snapshot
    ) -> tuple[Snapshot, str]:
        """Ask the client to open the link, and wait beside it; what stands after that, and a warning's code."""
        replaces = self._call.links.record_given(self._payment_id, link)
        message = self._call.presentation.link_message(Shown.of(snapshot.payment), link, action, replaces=replaces)
        link_id = uuid.uuid4().hex
        answer, newer = await race(
            lambda: opener.open(link, message, link_id), lambda: self.look(meanwhile_asked=link.url)
        )
        snapshot = newer or snapshot
        if answer is None:
            # Neither yes nor no while this wait lasted: the next one asks again.
            return snapshot, ""
        self._call.links.record_elicited(self._payment_id, ElicitedLink(link_id, link.url, answer))
        if answer == "accept":
            # The person may have approved by now: the wait goes on with a fresh look.
            return await self.look(), ""
        return snapshot, WARNINGS[answer]

    async def finish(self, snapshot: Snapshot) -> None:
        """Tell the client once that a link it opened has done its work."""
        elicited = self._call.links.elicited(self._payment_id)
        over = snapshot.fresh and snapshot.payment.status not in NEEDS_PERSON
        if elicited is None or elicited.finished or not over or self._call.opener is None:
            return
        elicited.finished = True
        if elicited.answer == "accept":
            await self._call.opener.finished(elicited.link_id)

    def _remaining_seconds(self) -> float:
        return self._started + self._seconds - anyio.current_time()

    def _knows(self, payment: Payment) -> bool:
        if self._informed:
            return True
        if self.background is not None:
            # Come back for every link, also for one that was opened: the rest of its wait needs no call.
            return False
        elicited = self._elicited(payment)
        return elicited is not None and self._call.opener is not None and elicited.answer != "decline"

    def _elicited(self, payment: Payment) -> ElicitedLink | None:
        """The link that this payment has, if the client was asked to open it."""
        elicited = self._call.links.elicited(self._payment_id)
        return elicited if elicited is not None and elicited.url == payment.approval_url else None


async def race(ask: Callable[[], Awaitable[A]], look: Callable[[], Awaitable[B]]) -> tuple[A | None, B | None]:
    """Do both at the same time until the first ends: what each came to, None for one that was stopped.

    What one of them raises is raised as itself, and not as a group of one.
    """
    answer: A | None = None
    seen: B | None = None
    try:
        async with anyio.create_task_group() as tasks:

            async def asking() -> None:
                nonlocal answer
                answer = await ask()
                tasks.cancel_scope.cancel()

            tasks.start_soon(asking)
            seen = await look()
            tasks.cancel_scope.cancel()
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return answer, seen


TOOL = Tool(
    name="await_payment",
    title="Wait for a payment",
    description=DESCRIPTION,
    search_hint="wait until it is paid or approved; bíða eftir greiðslu, samþykki",
    annotations=Annotations(read_only=True, destructive=False, idempotent=True, open_world=True),
    arguments=AwaitPaymentArguments,
    output_schema=output_schema(),
    run=run,
)
