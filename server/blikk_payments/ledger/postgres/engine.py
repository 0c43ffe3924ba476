"""One PostgreSQL database, shared by servers on any number of machines.

A write takes the lock on the head of the history first: no other server writes meanwhile. A read is one snapshot.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg import IsolationLevel
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool, PoolTimeout

from blikk_payments.errors import BUSY, LedgerUnavailable
from blikk_payments.ledger.engine import Engine
from blikk_payments.ledger.pool import POSTGRES_TURNS
from blikk_payments.ledger.postgres.batches import Batches
from blikk_payments.ledger.postgres.schema import has_tables, may_make_tables, migrate
from blikk_payments.ledger.postgres.watchdog import Watchdog
from blikk_payments.ledger.sql.rows import Rows

T = TypeVar("T")

POOL_WAIT_SECONDS = 5.0
CONNECT_SECONDS = 3
LOCK_MILLISECONDS = 4_000
STATEMENT_MILLISECONDS = 5_000
IDLE_MILLISECONDS = 10_000
CLOSE_SECONDS = 0.2
"""How long each of the pool's few threads has to end; with none, the pool warns of every one."""
WATCHDOG_SECONDS = 6.0
"""How long one answer may take before the socket is shut."""
SKEW_SECONDS = 5.0
"""How far the database's clock may be from ours."""
TRIES = 2
"""A lost connection is replaced once; `work` may run twice, and a claim knows its own token."""

UNREACHABLE = "The ledger's database cannot be reached, or the connection to it was lost. Check that it runs."
UNSAFE = "The ledger's database has fsync=off: it could forget what was paid. Turn it on."
SKEWED = "The clocks of this machine and of the ledger's database differ by more than 5 s. Set them right."
FORBIDDEN = (
    "The ledger's database does not let this role use a ledger. Grant it CREATE on the schema, once, "
    "and SELECT, INSERT, UPDATE and DELETE on the tables."
)
READ_ONLY = (
    "The ledger's database takes no writes: it may be a standby. Name the primary in BLIKK_LEDGER, "
    "or add target_session_attrs=read-write to the address."
)
UNUSABLE = "The ledger's database cannot be used: it refuses what a ledger needs. Run blikk-mcp doctor."
UNFIT_TEXT = "The ledger cannot hold this text or number."


# The pool's warnings name the server and the user. Without a handler Python itself prints them.
logging.getLogger("psycopg").addHandler(logging.NullHandler())


class PostgresEngine(Engine):
    """Connects on first use."""

    def __init__(
        self,
        conninfo: str,
        *,
        password: str = "",
        environment: str = "",
        wall_clock: Callable[[], float] = time.time,
        watchdog_seconds: float = WATCHDOG_SECONDS,
    ) -> None:
        self._watchdog_seconds = watchdog_seconds
        self._environment = environment
        self._wall_clock = wall_clock
        try:
            asked = conninfo_to_dict(conninfo).get("options") or ""
        except psycopg.ProgrammingError:
            # Its words repeat a part of the address.
            raise LedgerUnavailable(
                "The address of the ledger's database cannot be read. Check BLIKK_LEDGER."
            ) from None
        # What the address itself asks for, a search_path say, stays.
        options = (
            f"{asked} "
            f"-c lock_timeout={LOCK_MILLISECONDS} -c statement_timeout={STATEMENT_MILLISECONDS} "
            f"-c idle_in_transaction_session_timeout={IDLE_MILLISECONDS}"
        )
        settings: dict[str, Any] = {
            "autocommit": True,
            "connect_timeout": CONNECT_SECONDS,
            "options": options,
            "application_name": "blikk-mcp",
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            # PgBouncer hands statements of one session to another.
            "prepare_threshold": None,
        }
        if password:
            settings["password"] = password
        self._conninfo = conninfo
        self._settings = settings
        self._pool: ConnectionPool[psycopg.Connection[Any]] | None = None
        self._lock = threading.Lock()
        self._checked = False

    def write(self, work: Callable[[Rows], T]) -> T:
        """See `Engine.write`: alone by the lock on the head of the history, durable by a synchronous commit."""

        def locked(batches: Batches) -> T:
            batches.execute("SET LOCAL synchronous_commit = on")
            batches.execute("SELECT value FROM meta WHERE name = 'head' FOR UPDATE")
            return work(Rows(batches, self._environment))

        return self._transaction(locked, IsolationLevel.READ_COMMITTED, read_only=False)

    def read(self, work: Callable[[Rows], T]) -> T:
        """See `Engine.read`."""

        def looked(batches: Batches) -> T:
            return work(Rows(batches, self._environment))

        return self._transaction(looked, IsolationLevel.REPEATABLE_READ, read_only=True)

    def exists(self) -> bool:
        """See `Engine.exists`."""

        def looked(connection: psycopg.Connection[Any], _: Watchdog) -> bool:
            there = has_tables(connection)
            if not there and not may_make_tables(connection):
                raise LedgerUnavailable(FORBIDDEN)
            return there

        return self._run(looked, make=False)

    def check(self) -> list[str]:
        """See `Engine.check`. PostgreSQL offers no check of every page to its users; its operator has `pg_amcheck`."""
        self._run(lambda connection, _: connection.execute("SELECT 1"))
        return []

    def forget(self) -> None:
        """See `Engine.forget`: deleted rows go when the database vacuums; its log and backups keep them longer."""

    def close(self) -> None:
        """See `Engine.close`."""
        with self._lock:
            pool, self._pool, self._checked = self._pool, None, False
        if pool is not None:
            pool.close(timeout=CLOSE_SECONDS)

    def _transaction(self, work: Callable[[Batches], T], isolation: IsolationLevel, *, read_only: bool) -> T:
        def run(connection: psycopg.Connection[Any], watchdog: Watchdog) -> T:
            connection.isolation_level = isolation
            connection.read_only = read_only
            with connection.transaction():
                batches = Batches(connection, watchdog)
                try:
                    result = work(batches)
                    batches.send()
                    return result
                finally:
                    # For the end of the transaction.
                    watchdog.waiting()

        return self._run(run)

    def _run(self, work: Callable[[psycopg.Connection[Any], Watchdog], T], *, make: bool = True) -> T:
        """Run `work` on a connection, once more on a new one if that one was lost; every error is told in words."""
        for tries_left in reversed(range(TRIES)):
            try:
                with (
                    self._open().connection() as connection,
                    Watchdog(connection, self._watchdog_seconds) as watchdog,
                ):
                    self._require_sound(connection, make=make)
                    return work(connection, watchdog)
            except PoolTimeout as error:
                raise LedgerUnavailable(UNREACHABLE) from error
            except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled) as error:
                raise LedgerUnavailable(BUSY) from error
            except psycopg.OperationalError as error:
                if not tries_left:
                    raise LedgerUnavailable(UNREACHABLE) from error
                # What cut this one cut the idle ones, too.
                self._open().drain()
            except (UnicodeEncodeError, OverflowError, psycopg.DataError) as error:
                raise LedgerUnavailable(UNFIT_TEXT) from error
            except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidSchemaName) as error:
                # The second: there is no schema that the role may use.
                raise LedgerUnavailable(FORBIDDEN) from error
            except (psycopg.errors.FeatureNotSupported, psycopg.errors.ReadOnlySqlTransaction) as error:
                # A standby begins no transaction that writes. After a failover, the address may lead elsewhere.
                self._open().drain()
                raise LedgerUnavailable(READ_ONLY) from error
            except psycopg.Error as error:
                raise LedgerUnavailable(UNUSABLE) from error
        raise AssertionError("unreachable")

    def _open(self) -> ConnectionPool[psycopg.Connection[Any]]:
        with self._lock:
            if self._pool is None:
                self._pool = ConnectionPool(
                    self._conninfo,
                    kwargs=self._settings,
                    min_size=0,
                    max_size=POSTGRES_TURNS,
                    timeout=POOL_WAIT_SECONDS,
                    reconnect_timeout=CONNECT_SECONDS,
                    open=True,
                )
            return self._pool

    def _require_sound(self, connection: psycopg.Connection[Any], *, make: bool) -> None:
        """Look at the database once, before anything is trusted to it."""
        if self._checked:
            return
        row = connection.execute("SELECT current_setting('fsync'), extract(epoch FROM clock_timestamp())").fetchone()
        if row is None or row[0] != "on":
            raise LedgerUnavailable(UNSAFE)
        if abs(float(row[1]) - self._wall_clock()) > SKEW_SECONDS:
            raise LedgerUnavailable(SKEWED)
        if make:
            migrate(connection)
            self._checked = True
