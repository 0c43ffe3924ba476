"""Calls that wait for nothing: made at once with all that a call promises, or not at all."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from functools import partial
from pathlib import Path

import anyio
import pytest

from blikk_payments.channel.wire import Status
from blikk_payments.errors import LedgerUnavailable, PolicyDenied, WouldWait
from blikk_payments.ledger.sql.ledger import SqliteLedger
from blikk_payments.models import ClaimState, Facts
from blikk_payments.service import PaymentService
from tests.payments.doubles import ScriptedChannel, service_over
from tests.payments.ledger_factories import (
    KEY,
    NOON,
    OTHER_KEY,
    answer,
    at,
    claim,
    deny,
    empty_ledger,
    every_connection,
    full_disk,
    gone_process,
    intent,
)

LONG = 60.0
"""Seconds that no test waits for a lock on any machine."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger that exists and is empty."""
    return empty_ledger(tmp_path)


def claim_at_once(ledger: SqliteLedger, keys: int) -> None:
    for number in range(keys):
        ledger.at_once(partial(claim, ledger, f"order-{number:04}"))


def opened(path: Path) -> SqliteLedger:
    """A ledger that is in use, and would wait for long."""
    ledger = SqliteLedger(path, busy_timeout_seconds=LONG)
    ledger.check_writable()
    return ledger


def test_what_is_made_at_once_is_kept(path: Path) -> None:
    """A claim is durable, and everybody's to see, before its request goes out."""
    with opened(path) as ledger, SqliteLedger(path) as other:
        assert ledger.at_once(lambda: claim(ledger)).fresh
        assert other.by_key(KEY, now=NOON) is not None
        record = ledger.at_once(lambda: ledger.created(KEY, 1, answer("blikk-1"), now=at(1)))
        seen = other.by_key(KEY, now=at(1))

    assert record.state is ClaimState.CREATED
    assert seen == record


def test_what_is_raised_at_once_undoes_the_call(path: Path) -> None:
    """As it does in any other call."""
    with opened(path) as ledger:
        with pytest.raises(PolicyDenied, match="no room"):
            ledger.at_once(lambda: claim(ledger, decide=deny))
        assert ledger.at_once(lambda: ledger.by_key(KEY, now=NOON)) is None
        assert ledger.at_once(lambda: claim(ledger)).fresh


def test_a_ledger_that_nobody_has_opened_is_not_opened_at_once(tmp_path: Path) -> None:
    """Opening it reads the whole file."""
    path = tmp_path / "ledger.sqlite3"
    with SqliteLedger(path) as ledger:
        with pytest.raises(WouldWait):
            ledger.at_once(lambda: claim(ledger))
        assert not path.exists()
        claim(ledger)
        ledger.close()
        with pytest.raises(WouldWait):
            ledger.at_once(lambda: ledger.by_key(KEY, now=NOON))


def test_a_lock_of_another_process_is_not_waited_for_at_once_but_otherwise_is(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is done of the call, and its time-out is back for the next one."""
    waits = threading.Event()
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    def let_go() -> None:
        waits.wait()
        other.execute("ROLLBACK")

    def heard(statement: str) -> None:
        if statement == "BEGIN IMMEDIATE" and holder.is_alive():
            waits.set()

    every_connection(monkeypatch, lambda connection: connection.set_trace_callback(heard))
    holder = threading.Thread(target=let_go)
    with opened(path) as ledger, closing(other):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(WouldWait):
            ledger.at_once(lambda: claim(ledger))
        assert ledger.by_key(KEY, now=NOON) is None
        holder.start()
        assert claim(ledger).fresh
        holder.join()
        assert not ledger.at_once(lambda: claim(ledger)).fresh


def test_reading_at_once_needs_no_lock(path: Path) -> None:
    """While another process writes, payments can be looked up."""
    with opened(path) as ledger, closing(sqlite3.connect(path, isolation_level=None)) as other:
        claim(ledger)
        other.execute("BEGIN IMMEDIATE")
        record = ledger.at_once(lambda: ledger.by_key(KEY, now=NOON))

    assert record is not None


def test_a_payment_whose_sender_is_gone_is_not_told_as_it_was_where_it_cannot_be_marked(path: Path) -> None:
    """A look that has to write waits for the lock like any other call that writes."""
    with SqliteLedger(path, process=gone_process()) as gone:
        claim(gone)
    with opened(path) as ledger:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(WouldWait):
                ledger.at_once(lambda: ledger.by_key(KEY, now=NOON))
        record = ledger.at_once(lambda: ledger.by_key(KEY, now=NOON))

    assert record is not None
    assert record.state is ClaimState.UNKNOWN


def test_another_thread_s_call_is_not_waited_for_at_once(path: Path) -> None:
    """One file takes one call at a time."""
    entered, leave = threading.Event(), threading.Event()

    def hold(facts: Facts) -> None:
        del facts
        entered.set()
        leave.wait()

    with opened(path) as ledger:
        holder = threading.Thread(target=lambda: claim(ledger, OTHER_KEY, hold))
        holder.start()
        entered.wait()
        with pytest.raises(WouldWait):
            ledger.at_once(lambda: claim(ledger))
        leave.set()
        holder.join()
        assert ledger.at_once(lambda: claim(ledger)).fresh


def test_an_error_of_the_disk_is_told_and_the_next_call_opens_the_file_in_the_ordinary_way(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that failed is checked before it is used again, which takes its time."""
    with SqliteLedger(path, busy_timeout_seconds=LONG) as ledger:
        with monkeypatch.context() as patch:
            full_disk(patch)
            ledger.by_key(KEY, now=NOON)
            with pytest.raises(LedgerUnavailable, match="disk is full") as caught:
                claim_at_once(ledger, 100)
            assert not isinstance(caught.value, WouldWait)
        with pytest.raises(WouldWait):
            ledger.at_once(lambda: claim(ledger, "order-9999"))
        assert claim(ledger, "order-9999").fresh


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_ledger_that_another_process_holds_stops_no_event_loop(path: Path, anyio_backend: str) -> None:
    """Pings are answered, and a payment that waits for the lock is made once, when it is free."""
    channel = ScriptedChannel(*(answer(f"blikk-{number}", Status.SUCCESS) for number in (1, 2)))
    with opened(path) as ledger, closing(sqlite3.connect(path, isolation_level=None)) as other:
        async with service_over(channel, ledger, real_time=True) as service:
            await service.create(intent(OTHER_KEY))
            other.execute("BEGIN IMMEDIATE")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(create, service)
                await anyio.wait_all_tasks_blocked()
                assert len(channel.orders) == 1
                other.execute("ROLLBACK")
            record = ledger.by_key(KEY, now=NOON)

    assert len(channel.orders) == 2
    assert record is not None
    assert record.payment_id == "blikk-2"


async def create(service: PaymentService) -> None:
    await service.create(intent(KEY, 2000))
