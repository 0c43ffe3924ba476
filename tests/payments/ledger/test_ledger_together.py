"""Ledger calls that share one durable commit: all of them are kept or none, and before the end none of them counts."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from blikk_payments.errors import LedgerUnavailable, PolicyDenied
from blikk_payments.ledger.pool import LedgerThread
from blikk_payments.ledger.protocol import Claim
from blikk_payments.ledger.sql.ledger import SqliteLedger
from blikk_payments.models import ClaimState, Facts
from tests.payments.ledger_factories import (
    KEY,
    NOON,
    OTHER_KEY,
    answer,
    at,
    claim,
    deny,
    empty_ledger,
    full_disk,
    gone_process,
    heard_statements,
    in_child,
    intent,
)

LOST = "kept nothing of it"
KEYS = (KEY, OTHER_KEY, "order-0003")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger that exists and is empty."""
    return empty_ledger(tmp_path)


class Told(list[Any]):
    """What each call returned or raised."""


def make_together(ledger: SqliteLedger, told: Told, *calls: Callable[[], object]) -> None:
    """Make the calls as the service's thread makes them: what one of them raises ends it alone."""
    with ledger.together():
        for call in calls:
            try:
                told.append(call())
            except Exception as error:
                told.append(error)


def kept(path: Path) -> list[str]:
    """The keys that somebody else finds in the ledger now, which adds up."""
    with SqliteLedger(path) as ledger:
        assert ledger.verify() == []
        return [record.idempotency_key for record in ledger.records(now=NOON)]


def test_nothing_counts_before_the_end_and_everything_after_it(path: Path) -> None:
    """What the end of it says is the moment from which a request may go out."""
    with SqliteLedger(path) as ledger:
        with ledger.together():
            claims = [claim(ledger, key) for key in KEYS]
            ledger.created(KEY, 1, answer("blikk-1"), now=at(1))
            assert kept(path) == []
        assert kept(path) == list(KEYS)
        assert [one.fresh for one in claims] == [True] * 3
        assert [entry.event for entry in ledger.history(KEY)] == ["claimed", "sending", "created"]


def test_each_call_sees_what_those_before_it_wrote(path: Path) -> None:
    """The limits' room, a key and a duplicate are no less taken for not being committed yet."""
    shown: list[Facts] = []
    with SqliteLedger(path) as ledger, ledger.together():
        claim(ledger, KEY)
        again = claim(ledger, KEY)
        ledger.claim(intent(OTHER_KEY), shown.append, window_minutes=5, now=NOON)
        found = ledger.by_key(OTHER_KEY, now=NOON)

    assert not again.fresh
    assert [(facts.reserved_today_isk, facts.claims_last_minute) for facts in shown] == [(1000, 1)]
    assert [equal.idempotency_key for equal in shown[0].equals] == [KEY]
    assert found is not None


def test_all_of_it_is_one_commit(path: Path) -> None:
    """That is what it is for."""
    with pytest.MonkeyPatch.context() as patch, SqliteLedger(path) as ledger:
        statements = heard_statements(patch)
        with ledger.together():
            for key in KEYS:
                claim(ledger, key)

    assert [one for one in statements if one.startswith(("BEGIN", "COMMIT"))] == ["BEGIN IMMEDIATE", "COMMIT"]


def test_a_call_that_raises_undoes_itself_alone(path: Path) -> None:
    """A payment that the policy denies takes no other one with it, and leaves nothing behind."""
    with SqliteLedger(path, process=gone_process()) as ledger:
        claim(ledger, "order-0000")

    with SqliteLedger(path) as ledger, ledger.together():
        claim(ledger, KEY)
        with pytest.raises(PolicyDenied):
            # It finds an equal payment whose process is gone, and marks that unknown, before it is denied.
            ledger.claim(intent(OTHER_KEY), deny, window_minutes=5, now=NOON)
        claim(ledger, "order-0003")

    assert kept(path) == ["order-0000", KEY, "order-0003"]
    with SqliteLedger(path) as ledger:
        assert [entry.event for entry in ledger.history("order-0000")][:2] == ["claimed", "sending"]
        assert [entry.at for entry in ledger.history("order-0000")][:2] == [NOON, NOON]


def test_what_only_reads_waits_for_nobody_s_lock(path: Path) -> None:
    """As long as nothing was written, a payment can be looked up while another process writes."""
    with SqliteLedger(path) as ledger:
        claim(ledger, KEY)

    with (
        closing(sqlite3.connect(path, isolation_level=None)) as other,
        SqliteLedger(path, busy_timeout_seconds=0) as ledger,
    ):
        other.execute("BEGIN IMMEDIATE")
        with ledger.together():
            assert ledger.by_key(KEY, now=NOON) is not None
            with pytest.raises(LedgerUnavailable, match="Another process"):
                claim(ledger, OTHER_KEY)
            assert ledger.by_key(KEY, now=NOON) is not None
            other.execute("ROLLBACK")
            assert claim(ledger, "order-0003").fresh

    assert kept(path) == [KEY, "order-0003"]


def test_a_disk_that_is_full_keeps_none_of_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim that the disk refuses undoes the ones before it: all of them are told so, and none may be sent."""
    told = Told()

    with monkeypatch.context() as patch, SqliteLedger(path) as ledger:
        full_disk(patch)
        calls = [partial(claim, ledger, f"order-{number:04}") for number in range(100)]
        with pytest.raises(LedgerUnavailable, match=LOST):
            make_together(ledger, told, *calls)

    words = [one.message if isinstance(one, LedgerUnavailable) else "claimed" for one in told]
    claimed = words.index(next(word for word in words if "disk is full" in word))
    assert claimed
    assert set(words[:claimed]) == {"claimed"}
    assert [LOST in word for word in words[claimed + 1 :]] == [True] * (len(words) - claimed - 1)
    assert len(words) == 100
    assert kept(path) == []


def test_a_commit_that_fails_keeps_none_of_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last moment at which it can go wrong."""
    real, told = sqlite3.connect, Told()

    class Failing(sqlite3.Connection):
        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            if sql == "COMMIT" and len(told) == 2:
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(sql, *args)

    def failing(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        return real(*args, factory=Failing, **kwargs)

    with SqliteLedger(path) as ledger:
        with monkeypatch.context() as patch:
            patch.setattr("blikk_payments.ledger.sqlite.schema.sqlite3.connect", failing)
            with pytest.raises(LedgerUnavailable):
                make_together(ledger, told, lambda: claim(ledger, KEY), lambda: claim(ledger, OTHER_KEY))
        assert kept(path) == []
        # The file is opened anew, and takes claims again.
        assert claim(ledger, KEY).fresh


def test_a_transaction_that_was_ended_from_below_takes_nothing_more(path: Path) -> None:
    """SQLite undoes all of a transaction on some errors: what follows must not be kept as if all was well."""
    told = Told()

    def end(facts: Facts) -> None:
        del facts
        rows = ledger._file._rows  # pyright: ignore[reportPrivateUsage] - nothing else can be made to fail like this
        assert rows is not None
        rows.connection.execute("ROLLBACK")
        raise MemoryError

    with SqliteLedger(path) as ledger:
        with pytest.raises(LedgerUnavailable, match=LOST):
            make_together(
                ledger,
                told,
                lambda: claim(ledger, KEY),
                lambda: claim(ledger, OTHER_KEY, end),
                lambda: claim(ledger, "order-0003"),
                lambda: ledger.by_key(KEY, now=NOON),
            )
        assert [type(one) for one in told] == [Claim, MemoryError, LedgerUnavailable, LedgerUnavailable]
        assert kept(path) == []
        assert claim(ledger, KEY).fresh


def test_an_interruption_keeps_none_of_it(path: Path) -> None:
    """Whoever makes the calls together is stopped in between."""

    def stop() -> None:
        raise KeyboardInterrupt

    with SqliteLedger(path) as ledger:
        with pytest.raises(KeyboardInterrupt):
            make_together(ledger, Told(), lambda: claim(ledger, KEY), stop)
        assert kept(path) == []
        assert claim(ledger, KEY).fresh


def die_in_the_middle(path: Path) -> None:
    """Claim together, and be gone before the end."""
    ledger = SqliteLedger(path)
    with ledger.together():
        claim(ledger, KEY)
        claim(ledger, OTHER_KEY)
        os._exit(1)


def test_a_process_that_dies_before_the_end_has_claimed_nothing(path: Path) -> None:
    """So nothing of it may have been sent."""
    with pytest.raises(Exception, match="terminated abruptly"):
        in_child(die_in_the_middle, path)

    assert kept(path) == []


def test_together_and_nothing_to_do_is_nothing(path: Path) -> None:
    """No call at all, or only calls that read."""
    with SqliteLedger(path) as ledger:
        with ledger.together():
            pass
        with ledger.together():
            assert ledger.by_key(KEY, now=NOON) is None
        assert claim(ledger, KEY).record.state is ClaimState.SENDING


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_call_that_spoils_a_shared_commit_costs_no_other_payment_its_outcome(
    path: Path, anyio_backend: str
) -> None:
    """An outcome that is not written down makes a payment unknown, which a person has to clear up."""
    leave, told = threading.Event(), list[str]()

    def spoil(facts: Facts) -> None:
        del facts
        raise sqlite3.DatabaseError("an error of the file")

    async def try_to_claim() -> None:
        try:
            await thread(lambda: claim(ledger, OTHER_KEY, spoil))
        except LedgerUnavailable as error:
            told.append(error.message)

    with SqliteLedger(path) as ledger:
        claim(ledger, KEY)
        thread = LedgerThread(ledger.together)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(thread, leave.wait)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(thread, lambda: ledger.created(KEY, 1, answer("blikk-1"), now=at(1)))
            tasks.start_soon(try_to_claim)
            await anyio.wait_all_tasks_blocked()
            leave.set()
        thread.close()
        record = ledger.by_key(KEY, now=at(1))

    assert record is not None
    assert (record.state, record.payment_id) == (ClaimState.CREATED, "blikk-1")
    assert len(told) == 1
    assert LOST not in told[0]
    assert kept(path) == [KEY]
