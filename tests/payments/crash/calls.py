"""What the processes of a crash test do: the first call, the one after a restart, and the last one, which is believed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import anyio

from blikk_payments.channel.deadline import seconds_since_boot
from blikk_payments.errors import PaymentsError
from blikk_payments.ledger.opening import SqliteLedger, open_ledger
from blikk_payments.ledger.sql.ledger import SqlLedger
from blikk_payments.models import Confirmation, PaymentIntent, Question
from blikk_payments.policy import Policy
from blikk_payments.service import Channel, PaymentService
from blikk_payments.snapshot import Snapshot
from tests.payments.crash.bank import SlowBank
from tests.payments.factories import NOON, an_intent, at

KEY, NEW_KEY, EARLIER_KEY = "purchase-1", "purchase-1-again", "earlier-purchase"
SEVERAL = ("purchase-2", KEY, "purchase-3", "purchase-4")
"""Payments that nobody takes for equal.

At once, in threads: the first is claimed alone; the others wait, and share a commit. In turn: the task that sent the first
sends the others, too.
"""
ACCOUNT = "IS015926007654"

T = TypeVar("T")


@dataclass(frozen=True)
class Story:
    """One story: how Blikk answers, whether there was an equal payment before, and how real it all is.

    `threads`: the ledger is called as the server calls it, in its thread and in the loop; else in the loop alone.
    `server`: the address of the PostgreSQL server that has the ledger, if SQLite has not.
    """

    name: str
    answers: tuple[str, ...] = ("made",)
    equal_before: bool = False
    threads: bool = False
    at_once: bool = False
    in_turn: bool = False
    base_url: str = ""
    api_key: str = ""
    server: str = ""

    @property
    def starts_threads(self) -> bool:
        """Whether a life leaves threads behind: whoever forks later cannot live one."""
        return self.threads or bool(self.server)

    @property
    def real_channel(self) -> bool:
        """Whether Blikk is the sandbox, over HTTP."""
        return bool(self.base_url)


class Yes:
    """A person who wants both payments."""

    async def confirm(self, question: Question) -> Confirmation:
        """Put the question."""
        del question
        return Confirmation.YES


@dataclass(frozen=True)
class Folder:
    """Where one story's ledger and record lie. `name` tells its payments from those of other stories at one bank.

    `database`: the address of the ledger, if it is no file.
    """

    path: Path
    name: str
    database: str = ""

    @property
    def ledger(self) -> Path:
        """The ledger's file, in a folder that does not exist at first."""
        return self.path / "state" / "ledger.sqlite3"

    @classmethod
    def fresh(cls, path: Path, name: str, story: Story) -> Folder:
        """One with nothing in it."""
        path.mkdir()
        if not story.server:
            return cls(path, name)
        # What only this story needs makes every fork of the others slower.
        from tests.postgres import ledger_at

        return cls(path, name, ledger_at(story.server))

    @property
    def record(self) -> Path:
        """The bank's record."""
        return self.path / "bank.tsv"

    def payment(self, key: str = KEY) -> PaymentIntent:
        """The payment of the story, under this key; of another amount for the others of `SEVERAL`."""
        amount_isk = 1000 + (SEVERAL.index(key) + 1 if key in SEVERAL and key != KEY else 0)
        # Each of `SEVERAL` to an account of its own: one that is unknown would hold up the others.
        account = f"IS01592600765{SEVERAL.index(key)}" if key in SEVERAL and key != KEY else ACCOUNT
        return an_intent(key, amount_isk, account_key=account, name=f"{self.name} {key}")


def _never(seconds: float, call: Callable[[], None]) -> Callable[[], None]:
    """A ledger's timer without a thread: a process that forks must have none."""
    del seconds, call
    return lambda: None


async def _inline(call: Callable[[], T]) -> T:
    await anyio.lowlevel.checkpoint()
    return call()


async def outcome(call: Awaitable[Snapshot]) -> dict[str, Any]:
    """What a call was told."""
    try:
        snapshot = await call
    except PaymentsError as error:
        return {"raised": error.code}
    record = snapshot.payment
    return {
        "state": record.state.value,
        "payment_id": record.payment_id,
        "error": snapshot.error.code if snapshot.error else "",
    }


@asynccontextmanager
async def _channel(story: Story, folder: Folder) -> AsyncGenerator[Channel]:
    if not story.real_channel:
        yield SlowBank(folder.record, *story.answers, hides=True)
        return
    # What only this story needs makes every fork of the others slower.
    from blikk_payments.channel.client import ChannelClient
    from blikk_payments.channel.secret import SecretStr

    client = ChannelClient(story.base_url, SecretStr(story.api_key))
    try:
        yield client
    finally:
        await client.aclose()


def opened(folder: Folder) -> SqlLedger:
    """The story's ledger."""
    if folder.database:
        return open_ledger(folder.database, environment="loopback")
    return SqliteLedger(folder.ledger, environment="loopback", timer=_never)


def run(
    story: Story,
    folder: Folder,
    now: Callable[[], datetime],
    work: Callable[[PaymentService, Channel], Awaitable[T]],
    *,
    since_boot: Callable[[], float] = seconds_since_boot,
) -> T:
    """One life of the process: open the ledger, do the work, close it."""

    async def live() -> T:
        async with _channel(story, folder) as channel, AsyncExitStack() as stack:
            service = PaymentService(
                channel=channel,
                ledger=stack.enter_context(opened(folder)),
                policy=Policy(),
                now=now,
                since_boot=since_boot,
                run_blocking=None if story.threads else _inline,
            )
            return await work(await stack.enter_async_context(service), channel)

    return anyio.run(live)


def prepare(story: Story, folder: Folder) -> dict[str, Any]:
    """What was there before: a ledger in use, and in it perhaps an equal payment."""
    amount = 1000 if story.equal_before else 999

    async def work(service: PaymentService, channel: Channel) -> dict[str, Any]:
        return await outcome(service.create(replace(folder.payment(EARLIER_KEY), amount_isk=amount)))

    return run(replace(story, answers=("made",)), folder, lambda: at(-60), work)


def first_life(story: Story, folder: Folder) -> dict[str, Any]:
    """The call that is interrupted."""

    async def work(service: PaymentService, channel: Channel) -> dict[str, Any]:
        if story.at_once or story.in_turn:
            return await _several(story, service, folder)
        return await outcome(service.create(folder.payment(), asker=Yes() if story.equal_before else None))

    return run(story, folder, lambda: NOON, work)


async def _several(story: Story, service: PaymentService, folder: Folder) -> dict[str, Any]:
    said: dict[str, Any] = {}

    async def create(key: str) -> None:
        said[key] = await outcome(service.create(folder.payment(key)))

    async with anyio.create_task_group() as tasks:
        for key in SEVERAL:
            if story.in_turn:
                await create(key)
            else:
                tasks.start_soon(create, key)
    return said


def next_life(story: Story, folder: Folder) -> dict[str, Any]:
    """After a restart: the same call again, while Blikk is slow to show the payment; then a look, when it shows it."""

    async def work(service: PaymentService, channel: Channel) -> dict[str, Any]:
        again = await outcome(service.create(folder.payment(), asker=Yes() if story.equal_before else None))
        if isinstance(channel, SlowBank):
            channel.hides = False
        return {"again": again, "status": await outcome(service.status(idempotency_key=KEY))}

    return run(story, folder, lambda: at(1), work)


def last_life(story: Story, folder: Folder) -> dict[str, Any]:
    """After another restart: the same again, a new key for the same payment, and what the ledger has in the end."""

    async def work(service: PaymentService, channel: Channel) -> dict[str, Any]:
        said = {
            "again": await outcome(service.create(folder.payment(), asker=Yes() if story.equal_before else None)),
        }
        if isinstance(channel, SlowBank):
            channel.hides = False
        said["status"] = await outcome(service.status(idempotency_key=KEY))
        if story.at_once or story.in_turn:
            said["all"] = await _several(story, service, folder)
        said["new_key"] = await outcome(service.create(folder.payment(NEW_KEY)))
        return said

    said: dict[str, Any] = run(story, folder, lambda: at(2), work)
    with opened(folder) as ledger:
        record = ledger.by_key(KEY, now=at(2))
        said["record"] = [record.state.value, record.payment_id] if record else None
        said["verify"] = ledger.verify()
        history = ledger.history(KEY)
        said["first_life"] = [entry.event for entry in history if entry.at == NOON]
        said["before"] = [entry.event for entry in history if entry.at < at(2)]
    return said
