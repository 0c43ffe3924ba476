"""Support: a payment while the answer to every commit is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import anyio

from blikk_payments.ledger.engine import Engine
from blikk_payments.ledger.sql.ledger import SqlLedger
from blikk_payments.ledger.sql.rows import Rows
from blikk_payments.ledger.sqlite.engine import SqliteEngine
from tests.payments.doubles import service_over, virtual_time
from tests.payments.factories import KEY, NOON, OTHER_KEY, an_intent
from tests.payments.racing import CountingBank

T = TypeVar("T")


class AnswersLost(Engine):
    """An engine that hears of no first commit, and so does all work again."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.read, self.exists, self.check = engine.read, engine.exists, engine.check
        self.forget, self.close = engine.forget, engine.close

    def write(self, work: Callable[[Rows], T]) -> T:
        """See `Engine.write`."""
        self._engine.write(work)
        return self._engine.write(work)


@dataclass(frozen=True)
class Lost:
    """What became of one payment; by default, what should."""

    requests: int = 1
    state: str = "created"
    events: tuple[str, ...] = ("claimed", "sending", "created")
    reserved_isk: int = 1000
    problems: tuple[str, ...] = ()


def lost_commits(place: str, folder: Path) -> Lost:
    """Make one payment, while the answer to every commit is lost."""
    record = folder / "bank"

    async def pay() -> str:
        async with service_over(CountingBank(record), ledger) as service:
            return (await service.create(an_intent(KEY, name=KEY))).payment.state.value

    with SqlLedger(lambda: AnswersLost(_engine(place))) as ledger:
        backend, options = virtual_time()
        state = anyio.run(pay, backend=backend, backend_options=options)
        facts = ledger.facts(an_intent(OTHER_KEY), window_minutes=0, now=NOON)
        return Lost(
            requests=len(record.read_text(encoding="utf-8").split()) if record.exists() else 0,
            state=state,
            events=tuple(entry.event for entry in ledger.history(KEY)),
            reserved_isk=facts.reserved_today_isk,
            problems=tuple(ledger.verify()),
        )


def _engine(place: str) -> Engine:
    if place.startswith("postgresql:"):
        from blikk_payments.ledger.postgres.engine import PostgresEngine

        return PostgresEngine(place)
    return SqliteEngine(Path(place))
