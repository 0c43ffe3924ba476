"""What can go wrong with a PostgreSQL database under the ledger: cuts, silence, a restored copy, and what is refused."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import psycopg
import pytest

from blikk_payments.errors import BUSY, LedgerUnavailable
from blikk_payments.ledger.postgres import engine as postgres_engine
from blikk_payments.ledger.postgres.engine import (
    FORBIDDEN,
    READ_ONLY,
    SKEWED,
    UNFIT_TEXT,
    UNREACHABLE,
    UNSAFE,
    PostgresEngine,
)
from blikk_payments.ledger.postgres.schema import FOREIGN, NEWER
from blikk_payments.ledger.protocol import FORGOTTEN
from blikk_payments.ledger.sql.ledger import SqlLedger
from blikk_payments.ledger.sql.rows import Rows
from blikk_payments.models import ClaimState
from tests.fleet.wire import wired
from tests.payments.factories import KEY, NOON, OTHER_KEY, an_intent, answer
from tests.payments.ledgers import allow, claim
from tests.postgres import PostgresServer, running_postgres

MOST_ROUND_TRIPS = 7
"""Begin and commit among them."""


@pytest.fixture
def address(postgres: PostgresServer) -> str:
    return postgres.database()


@pytest.fixture
def ledger(address: str) -> Iterator[SqlLedger]:
    with SqlLedger(lambda: PostgresEngine(address)) as opened:
        yield opened


def sql(address: str, *statements: str) -> list[Any]:
    """Statements of an operator's; the rows of the last one."""
    with psycopg.connect(address, autocommit=True) as connection:
        for statement in statements[:-1]:
            connection.execute(statement.encode())
        cursor = connection.execute(statements[-1].encode())
        return cursor.fetchall() if cursor.description else []


def cut_everybody(address: str) -> None:
    """End every connection of the ledger's, as a failover or a firewall does."""
    sql(
        address,
        "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity "
        "WHERE application_name = 'blikk-mcp' AND pid != pg_backend_pid()",
    )


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", ["claim", "created", "refused", "unknown"])
def test_a_connection_that_is_lost_around_a_commit_leaves_one_row_and_the_right_answer(
    address: str, moment: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The work runs again; a claim knows its own token, so that it is fresh and the payment is sent once."""
    steps: dict[str, Callable[[SqlLedger], Any]] = {
        "claim": claim,
        "created": lambda ledger: ledger.created(KEY, 1, answer(payment_id="blikk-1"), now=NOON),
        "refused": lambda ledger: ledger.refused(KEY, 1, code="c", bank_text="", now=NOON),
        "unknown": lambda ledger: ledger.unknown(KEY, 1, reason="r", now=NOON),
    }
    with SqlLedger(lambda: PostgresEngine(address)) as ledger:
        if step == "claim":
            ledger.check_writable()
        else:
            claim(ledger)
        cuts = [moment]
        real = psycopg.Transaction.__exit__

        def leave(self: psycopg.Transaction, *raised: Any) -> Any:
            if raised[0] is None and cuts == ["before"]:
                cuts.clear()
                cut_everybody(address)
            result = real(self, *raised)
            if cuts == ["after"]:
                cuts.clear()
                cut_everybody(address)
                raise psycopg.OperationalError("server closed the connection unexpectedly")
            return result

        monkeypatch.setattr(psycopg.Transaction, "__exit__", leave)
        done = steps[step](ledger)
        monkeypatch.undo()

        assert cuts == []
        assert step != "claim" or (done.fresh and done.record.state is ClaimState.SENDING)
        assert sql(address, "SELECT count(*) FROM payments") == [(1,)]
        events = [entry.event for entry in ledger.history(KEY)]
        assert len(events) == len(set(events))
        assert not claim(ledger).fresh or step == "refused"
        assert ledger.verify() == []


def test_idle_connections_that_were_cut_are_replaced(address: str, ledger: SqlLedger) -> None:
    """A database that was restarted while nobody paid."""
    claim(ledger)
    cut_everybody(address)
    assert ledger.created(KEY, 1, answer(payment_id="blikk-1"), now=NOON).state is ClaimState.CREATED
    cut_everybody(address)
    assert ledger.by_key(KEY, now=NOON) is not None


@pytest.mark.anyio
async def test_the_one_lock_is_held_for_few_round_trips(address: str) -> None:
    """Everybody else waits meanwhile: with 1 ms to the database, ten round trips more halve what a fleet can do."""
    async with wired(address) as wire:
        with SqlLedger(lambda: PostgresEngine(wire.address)) as ledger:
            await anyio.to_thread.run_sync(claim, ledger)
            for step in (
                lambda: claim(ledger, OTHER_KEY),
                lambda: ledger.created(OTHER_KEY, 1, answer(payment_id="blikk-1"), now=NOON),
                lambda: ledger.refused(KEY, 1, code="c", bank_text="", now=NOON),
            ):
                wire.round_trips = 0
                await anyio.to_thread.run_sync(step)
                assert wire.round_trips <= MOST_ROUND_TRIPS


@pytest.mark.slow
def test_a_stopped_database_makes_the_ledger_unavailable_until_it_runs_again() -> None:
    """Nothing hangs and nothing is lost."""
    with running_postgres() as server, SqlLedger(lambda: PostgresEngine(server.database())) as ledger:
        claim(ledger)
        server.stop()
        for _ in range(2):
            with pytest.raises(LedgerUnavailable) as stopped:
                claim(ledger, OTHER_KEY)
            assert stopped.value.message == UNREACHABLE
        server.start()
        assert not claim(ledger).fresh
        assert claim(ledger, OTHER_KEY).fresh
        assert ledger.verify() == []


@pytest.mark.slow
def test_a_database_that_falls_silent_is_given_up_by_the_watchdog() -> None:
    """Seen: the driver waited for ever."""
    with running_postgres() as server:
        address = server.database()
        with (
            SqlLedger(lambda: PostgresEngine(address)) as ledger,
            SqlLedger(lambda: PostgresEngine(address, watchdog_seconds=0.5)) as impatient,
        ):
            claim(ledger)
            impatient.exists()
            server.pause()
            try:
                with pytest.raises(LedgerUnavailable, match="cannot be reached"):
                    claim(impatient, OTHER_KEY)
            finally:
                server.resume()
            # By one that waits longer: a loaded machine takes its time.
            assert claim(ledger, OTHER_KEY).fresh
            assert ledger.verify() == []


def test_our_own_work_is_not_taken_for_the_silence_of_the_database(address: str) -> None:
    """A long history is hashed between two statements."""
    with SqlLedger(lambda: PostgresEngine(address, watchdog_seconds=1.0)) as ledger:
        over = threading.Event()

        def slow(facts: Any) -> None:
            over.wait(1.3)

        assert ledger.claim(an_intent(), slow, window_minutes=0, now=NOON).fresh


def test_whoever_holds_the_lock_too_long_is_not_waited_for(
    address: str, ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stuck transaction of somebody else's."""
    monkeypatch.setattr(postgres_engine, "LOCK_MILLISECONDS", 100)
    claim(ledger)
    with SqlLedger(lambda: PostgresEngine(address)) as hasty, psycopg.connect(address) as stuck:
        stuck.execute("SELECT value FROM meta WHERE name = 'head' FOR UPDATE")
        with pytest.raises(LedgerUnavailable) as busy:
            claim(hasty, OTHER_KEY)
        assert busy.value.message == BUSY
        assert hasty.by_key(KEY, now=NOON) is not None


@pytest.mark.slow
def test_a_database_without_fsync_is_refused() -> None:
    """It could forget what was paid."""
    with running_postgres() as server:
        address = server.database()
        sql(address, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        deadline = time.monotonic() + 10
        while sql(address, "SHOW fsync") != [("off",)]:
            assert time.monotonic() < deadline
        with SqlLedger(lambda: PostgresEngine(address)) as ledger:
            with pytest.raises(LedgerUnavailable) as refused:
                claim(ledger)
            assert refused.value.message == UNSAFE
        assert sql(address, "SELECT to_regclass('payments')") == [(None,)]


def test_a_database_that_was_restored_from_earlier_is_refused(address: str, ledger: SqlLedger) -> None:
    """A failover to a copy that lags behind has forgotten paid keys."""
    claim(ledger)
    head = sql(address, "SELECT value FROM meta WHERE name = 'head'")[0][0]
    claim(ledger, OTHER_KEY)
    sql(address, f"UPDATE meta SET value = '{head}' WHERE name = 'head'")

    for key in (OTHER_KEY, "order-0003"):
        with pytest.raises(LedgerUnavailable) as refused:
            claim(ledger, key)
        assert refused.value.message == FORGOTTEN


class OvertakenEngine(PostgresEngine):
    """One whose next write ends after another one that began later."""

    meanwhile: Callable[[], Any] | None = None

    def write(self, work: Callable[[Rows], Any]) -> Any:
        result = super().write(work)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return result


def test_a_restored_database_is_refused_by_the_newest_payment_though_its_thread_was_overtaken(address: str) -> None:
    """Eight threads write: whichever returns last does not decide what is the newest."""
    engine = OvertakenEngine(address)
    with SqlLedger(lambda: engine) as ledger:
        ledger.check_writable()
        engine.meanwhile = lambda: claim(ledger, OTHER_KEY)
        claim(ledger)
        older = sql(address, "SELECT sequence || ':' || hash FROM history ORDER BY sequence LIMIT 1 OFFSET 1")[0][0]
        sql(address, f"UPDATE meta SET value = '{older}' WHERE name = 'head'")
        with pytest.raises(LedgerUnavailable) as refused:
            claim(ledger, "order-0003")
        assert refused.value.message == FORGOTTEN


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_differs_from_the_databases_is_refused(address: str, hours: int) -> None:
    """Limits and windows are reckoned by it, on several machines."""
    with SqlLedger(lambda: PostgresEngine(address, wall_clock=lambda: time.time() + 3600 * hours)) as ledger:
        with pytest.raises(LedgerUnavailable) as refused:
            claim(ledger)
        assert refused.value.message == SKEWED


def test_servers_that_start_at_once_make_one_ledger(address: str) -> None:
    """The tables are made under a lock of their own."""
    barrier = threading.Barrier(4)

    def start(number: int) -> bool:
        with SqlLedger(lambda: PostgresEngine(address)) as ledger:
            barrier.wait(10)
            return ledger.claim(an_intent(), allow, window_minutes=0, now=NOON).fresh

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(start, range(4))) == [False, False, False, True]
    assert sql(address, "SELECT count(*) FROM meta WHERE name = 'fingerprint_key'") == [(1,)]


def test_tables_of_another_program_are_refused_and_left_alone(address: str, ledger: SqlLedger) -> None:
    """`payments` is a likely name."""
    sql(address, "CREATE TABLE payments (id INT)")
    with pytest.raises(LedgerUnavailable) as refused:
        claim(ledger)
    assert refused.value.message == FOREIGN
    assert sql(address, "SELECT to_regclass('history')") == [(None,)]


def test_a_ledger_of_a_newer_version_is_refused(address: str) -> None:
    """Its rows may mean something else."""
    with SqlLedger(lambda: PostgresEngine(address)) as ledger:
        claim(ledger)
    sql(address, "UPDATE meta SET value = '1000' WHERE name = 'version'")
    with SqlLedger(lambda: PostgresEngine(address)) as ledger, pytest.raises(LedgerUnavailable) as refused:
        claim(ledger)
    assert refused.value.message == NEWER


@pytest.mark.parametrize("text", ["\ud800", "a\0b"])
def test_text_that_the_database_cannot_hold_is_refused_in_words(text: str, ledger: SqlLedger) -> None:
    """A lone surrogate, and NUL; the ledger works on."""
    with pytest.raises(LedgerUnavailable) as refused:
        ledger.claim(an_intent(purpose=text), allow, window_minutes=0, now=NOON)
    assert refused.value.message == UNFIT_TEXT
    assert claim(ledger).fresh


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE payments; --", "\\'; SELECT 1; --", "100 % of ? %s %%", "E'\\\\' $$a$$"]
)
def test_no_text_is_taken_for_sql(text: str, ledger: SqlLedger) -> None:
    """Statements go out together, with their values in the text."""
    ledger.claim(an_intent(name=text, purpose=text), allow, window_minutes=0, now=NOON)
    ledger.refused(KEY, 1, code="c", bank_text=text, now=NOON)
    record = ledger.claim(an_intent(purpose=text, name=text), allow, window_minutes=0, now=NOON).record
    assert (record.creditor_name, record.purpose) == (text, text)
    assert next(ledger.records(now=NOON)) == record
    assert ledger.verify() == []


def test_the_history_is_never_changed(address: str, ledger: SqlLedger) -> None:
    """Not by a mistake in SQL, either."""
    claim(ledger)
    for statement in ("DELETE FROM history", "UPDATE history SET at = ''", "TRUNCATE history"):
        with pytest.raises(psycopg.errors.RaiseException):
            sql(address, statement)
    assert ledger.verify() == []


def test_asking_whether_there_is_a_ledger_makes_none(address: str, ledger: SqlLedger) -> None:
    """Reading never makes a ledger."""
    assert not ledger.exists()
    assert sql(address, "SELECT to_regclass('meta')") == [(None,)]
    claim(ledger)
    assert ledger.exists()


def as_a_new_role(address: str, *grants: str) -> str:
    """The same ledger, reached by a role that owns nothing of it and has these rights."""
    role = f"role_{secrets.token_hex(6)}"
    (schema,) = sql(address, "SELECT current_schema()")[0]
    sql(address, f"CREATE ROLE {role} LOGIN", *(f"{grant.format(schema=schema)} TO {role}" for grant in grants))
    return address.replace("blikk@", f"{role}@")


@pytest.mark.parametrize("grants", [[], ["GRANT USAGE ON SCHEMA {schema}"]], ids=["nothing", "usage"])
def test_a_role_that_may_not_make_the_ledger_is_told_so_before_the_first_payment(
    grants: list[str], address: str
) -> None:
    """By whoever only asks whether there is a ledger, too: it would else hear that the first payment makes it."""
    with SqlLedger(lambda: PostgresEngine(as_a_new_role(address, *grants))) as ledger:
        for use in (ledger.exists, ledger.check_writable):
            with pytest.raises(LedgerUnavailable) as refused:
                use()
            assert refused.value.message == FORBIDDEN


def test_a_role_that_may_only_read_the_tables_is_told_what_it_needs(address: str, ledger: SqlLedger) -> None:
    claim(ledger)
    reader = as_a_new_role(address, "GRANT USAGE ON SCHEMA {schema}", "GRANT SELECT ON ALL TABLES IN SCHEMA {schema}")
    with SqlLedger(lambda: PostgresEngine(reader)) as other:
        assert other.exists()
        with pytest.raises(LedgerUnavailable) as refused:
            other.check_writable()
        assert refused.value.message == FORBIDDEN


def test_a_standby_is_told_apart_from_a_defect() -> None:
    """It is read, and takes no writes; the operator is sent to the primary."""
    with running_postgres() as server:
        address = server.database()
        with SqlLedger(lambda: PostgresEngine(address)) as ledger:
            claim(ledger)
            server.stop()
            server.become_standby()
            server.start()
            assert ledger.exists()
            with pytest.raises(LedgerUnavailable) as refused:
                ledger.check_writable()
            assert refused.value.message == READ_ONLY


def test_closing_leaves_no_warning_in_the_log(address: str, caplog: pytest.LogCaptureFixture) -> None:
    """Every server closes its ledger at its end; a warning there would be one of nothing."""
    with SqlLedger(lambda: PostgresEngine(address)) as ledger:
        claim(ledger)
    assert [record.getMessage() for record in caplog.records if record.name.startswith("psycopg")] == []
