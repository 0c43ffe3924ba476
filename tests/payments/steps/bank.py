"""Blikk as the state machine's steps drive it, and the judge of every request that reaches it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from blikk_payments.channel.errors import NotSent, ReadFailed, ReadRefused, Refused, Uncertain
from blikk_payments.channel.wire import FAILED, TERMINAL, ChannelPayment, PaymentOrder, Status
from blikk_payments.models import PaymentIntent
from blikk_payments.service import Channel

LIMIT_ISK = 2_500
WINDOW_MINUTES = 60


class Answers(Enum):
    """How a request ends: whether there is a payment now, and what the client hears."""

    CREATED = "created"
    PAID_AT_ONCE = "paid at once"
    ENDED_AT_ONCE = "ended at once"
    MADE_AND_LOST = "made, and the answer lost"
    LOST = "lost on the way"
    REFUSED = "refused"
    NOT_SENT = "not sent"


class Reads(Enum):
    """What a GET meets."""

    TRUE = "the truth"
    OLD = "what was true before"
    HIDDEN = "404"
    FAILING = "503"


MADE_AS = {
    Answers.CREATED: Status.DRAFT,
    Answers.PAID_AT_ONCE: Status.SUCCESS,
    Answers.ENDED_AT_ONCE: Status.REJECTED,
    Answers.MADE_AND_LOST: Status.DRAFT,
}


@dataclass(eq=False)
class Post:
    """One request, and what it led to. `free`: it is definite, to us too, that there is no payment."""

    intent: PaymentIntent
    at: datetime
    answers: Answers
    payment_id: str
    status: Status | None
    before: Status = Status.DRAFT
    free: bool = False
    told: bool = False
    held: asyncio.Future[None] | None = None

    @property
    def failed(self) -> bool:
        """Whether the payment ended without money moving."""
        return self.status in FAILED

    def answer(self) -> ChannelPayment:
        """What the client hears."""
        if self.answers in (Answers.LOST, Answers.MADE_AND_LOST):
            raise Uncertain("The connection to Blikk failed before its answer arrived.")
        if self.answers is Answers.REFUSED:
            self.free = True
            raise Refused("Blikk refused the payment (HTTP 400).", status=400)
        if self.answers is Answers.NOT_SENT:
            self.free = True
            raise NotSent("Blikk could not be reached; nothing was sent.")
        self.told = True
        return ChannelPayment(self.payment_id, MADE_AS[self.answers])


@dataclass
class Bank:
    """Every request and payment, and every promise that a request has broken."""

    now: Callable[[], datetime]
    posts: list[Post] = field(default_factory=list[Post])
    broken: list[str] = field(default_factory=list[str])
    reads: Reads = Reads.TRUE
    next_answers: Answers = Answers.CREATED
    next_held: bool = False
    intents: dict[str, PaymentIntent] = field(default_factory=dict[str, PaymentIntent])

    def of_key(self, key: str) -> list[Post]:
        """The requests for this key, oldest first."""
        return [post for post in self.posts if post.intent.idempotency_key == key]

    def made(self, key: str) -> list[Post]:
        """The payments made for this key."""
        return [post for post in self.of_key(key) if post.status is not None]

    def payment(self, payment_id: str) -> Post | None:
        """The payment with this id."""
        return next((post for post in self.posts if post.status and post.payment_id == payment_id), None)

    def reserved_isk(self, at: datetime, *, failed_too: bool = False) -> int:
        """What that day's requests may have cost; `failed_too`: as it is for those who have not heard that they failed."""
        day = [post for post in self.posts if post.at.date() == at.date() and not post.free]
        return sum(post.intent.amount_isk for post in day if failed_too or not post.failed)

    def receive(self, order: PaymentOrder) -> Post:
        """Take a request, and say so if it should never have come."""
        intent, now = self.intents[order.creditor_name], self.now()
        key = intent.idempotency_key
        status = MADE_AS.get(self.next_answers)
        post = Post(intent, now, self.next_answers, f"blikk-{len(self.posts) + 1}", status)
        if any(not earlier.free for earlier in self.of_key(key)):
            self.broken.append(f"{key} was sent again, and was not definitely refused before")
        if (reserved := self.reserved_isk(now) + intent.amount_isk) > LIMIT_ISK:
            self.broken.append(f"{reserved} ISK on a day of {LIMIT_ISK}")
        self.broken += [f"{key} is like {one.payment_id}, which was not confirmed" for one in self._unconfirmed(post)]
        self.posts.append(post)
        return post

    def _unconfirmed(self, post: Post) -> list[Post]:
        """Equal payments that this one should not have come after."""
        intent = post.intent
        equal = [
            other
            for other in self.posts
            if other.intent.idempotency_key != intent.idempotency_key
            and (other.intent.account_key, other.intent.amount_isk) == (intent.account_key, intent.amount_isk)
            and not other.free
            and not other.failed
        ]
        unknown = [other for other in equal if not other.told]
        young = [other for other in equal if other.told and post.at - other.at < timedelta(minutes=WINDOW_MINUTES)]
        confirmed = any(other.payment_id == intent.confirmed_duplicate_of for other in young)
        return unknown + ([] if confirmed else young)


class SteppedChannel(Channel):
    """The way of one process to the bank."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank

    async def create(self, order: PaymentOrder) -> ChannelPayment:
        """POST /payment."""
        post = self._bank.receive(order)
        if self._bank.next_held:
            post.held = asyncio.get_running_loop().create_future()
            await post.held
        return post.answer()

    async def read(self, payment_id: str, *, attempts: int = 3) -> ChannelPayment:
        """GET /payment/{paymentId}."""
        post, reads = self._bank.payment(payment_id), self._bank.reads
        if post is None or reads is Reads.HIDDEN:
            raise ReadRefused("Blikk refused to answer (HTTP 404).", status=404)
        if reads is Reads.FAILING:
            raise ReadFailed("Blikk did not answer the question.", status=503)
        assert post.status is not None
        # An old answer to who has heard no end yet would be a lie about nothing: only an end must not be undone.
        status = post.before if reads is Reads.OLD and post.status in TERMINAL else post.status
        link = f"https://bank.example/approve/{payment_id}" if status is Status.SCA_REQUIRED else ""
        return ChannelPayment(payment_id, status, link)
