"""One SQLite file, shared by threads and processes: a transaction at a time, and every error in words."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from blikk_payments.errors import BUSY, LedgerUnavailable
from blikk_payments.ledger.engine import Engine
from blikk_payments.ledger.sql.rows import Rows
from blikk_payments.ledger.sqlite.errors import LOST_FILE, explain, is_busy, is_read_only
from blikk_payments.ledger.sqlite.paths import Identity, file_identity, log_path, secure_file
from blikk_payments.ledger.sqlite.schema import connect, connect_to_look

T = TypeVar("T")

BUSY_TIMEOUT_SECONDS = 5.0
"""How long a transaction waits for another thread's or process's."""

FOLD_AFTER_SECONDS = 2.0
"""How long a change may lie in the write-ahead log alone before it is folded into the file."""

Timer = Callable[[float, Callable[[], None]], Callable[[], None]]
"""Calls something after so many seconds, unless what it returned is called before."""


def run_later(seconds: float, call: Callable[[], None]) -> Callable[[], None]:
    """A `Timer` that is a sleeping thread."""
    timer = threading.Timer(seconds, call)
    # A disk that hangs must not keep the process from ending.
    timer.daemon = True
    timer.start()
    return timer.cancel


class SqliteEngine(Engine):
    """Opens the file on first use. After an error of the disk or the file it is opened anew.

    A file that lost its name or its log would take claims where no other process looks; and a new one in its place has
    forgotten what was paid. So both are compared, before each transaction's work and after its commit, with what was opened.
    """

    def __init__(
        self,
        path: Path,
        *,
        environment: str = "",
        busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS,
        timer: Timer = run_later,
    ) -> None:
        self._path = path
        self._log_path = log_path(path)
        self._environment = environment
        self._busy_timeout_seconds = busy_timeout_seconds
        self._timer = timer
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._file: Identity | None = None
        self._log: Identity | None = None
        self._cancel_fold: Callable[[], None] | None = None

    def write(self, work: Callable[[Rows], T]) -> T:
        """See `Engine.write`: takes SQLite's write lock first."""
        with self._alone():
            connection = self._open()
            result = self._transaction(connection, "BEGIN IMMEDIATE", lambda: work(Rows(connection, self._environment)))
            self._require_unmoved()
            self._fold_later()
            return result

    def read(self, work: Callable[[Rows], T]) -> T:
        """See `Engine.read`."""
        with self._alone():
            try:
                connection = self._open()
            except sqlite3.OperationalError as error:
                # With a log beside it the file alone would not be the whole truth.
                if not is_read_only(error) or file_identity(self._log_path) is not None:
                    raise
                self._drop()
                with closing(connect_to_look(self._path)) as looking:
                    return self._transaction(looking, "BEGIN", lambda: work(Rows(looking, self._environment)))
            return self._transaction(connection, "BEGIN", lambda: work(Rows(connection, self._environment)))

    def exists(self) -> bool:
        """See `Engine.exists`."""
        return os.path.lexists(self._path)

    def check(self) -> list[str]:
        """See `Engine.check`: SQLite's own look at every page and index."""
        with self._alone():
            found = self._open().execute("PRAGMA integrity_check(20)").fetchall()
        return [f"The ledger's file is damaged: {text}" for (text,) in found if text != "ok"]

    def forget(self) -> None:
        """See `Engine.forget`: fold the log, with what it holds of the past, into the file, and empty it."""
        with self._alone():
            self._open().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def copy_to(self, target: sqlite3.Connection) -> None:
        """Copy one snapshot of the ledger into an empty database.

        Raises:
            LedgerUnavailable: it could not be read or written.
        """
        with self._alone():
            self._open().backup(target)

    def close(self) -> None:
        """See `Engine.close`: the log is folded in first."""
        with self._lock:
            if self._cancel_fold is not None:
                self._cancel_fold()
                self._cancel_fold = None
            with suppress(LedgerUnavailable, sqlite3.Error):
                if self._connection is not None:
                    self._require_unmoved()
                    self._fold_now(self._connection)
            self._drop()

    def _transaction(self, connection: sqlite3.Connection, begin: str, work: Callable[[], T]) -> T:
        connection.execute(begin)
        try:
            # Inside the transaction: a file that is replaced after this is noticed by every process.
            self._require_unmoved()
            result = work()
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        return result

    @contextmanager
    def _alone(self) -> Generator[None]:
        """Nobody else in this process is at the file. An error of SQLite's is told in words, and the file opened anew."""
        if not self._lock.acquire(timeout=self._busy_timeout_seconds):
            raise LedgerUnavailable(BUSY)
        try:
            yield
        except sqlite3.Error as error:
            if not is_busy(error):
                self._drop()
            raise explain(error) from error
        except (UnicodeEncodeError, OverflowError) as error:
            raise LedgerUnavailable("The ledger cannot hold this text or number.") from error
        finally:
            self._lock.release()

    def _open(self) -> sqlite3.Connection:
        self._require_unmoved()
        if self._connection is None:
            if self._file is None and file_identity(self._path) is None and file_identity(self._log_path) is not None:
                raise LedgerUnavailable(LOST_FILE)
            file = secure_file(self._path)
            connection = connect(self._path, self._busy_timeout_seconds)
            try:
                Rows(connection, self._environment)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            self._file, self._log = file, file_identity(self._log_path)
            # A process that died may have left its last payments in the log.
            self._fold_later()
        return self._connection

    def _require_unmoved(self) -> None:
        if self._file is not None and file_identity(self._path) != self._file:
            raise LedgerUnavailable(
                "The ledger was moved or replaced while in use. Put it back; restart only if the new one is right."
            )
        if self._connection is not None and file_identity(self._log_path) != self._log:
            raise LedgerUnavailable(
                "The ledger's -wal file was moved or replaced while in use. Put it back, or restore the newest backup."
            )

    def _fold_later(self) -> None:
        """Fold the log in soon. A change starts the time once: a steady stream of them does not put it off."""
        if self._cancel_fold is None:
            self._cancel_fold = self._timer(FOLD_AFTER_SECONDS, self._fold)

    def _fold(self) -> None:
        """What the timer calls. Nobody waits for it: what fails now is tried again, or told by the next transaction."""
        with suppress(LedgerUnavailable), self._alone():
            self._cancel_fold = None
            if self._connection is not None:
                self._require_unmoved()
                if not self._fold_now(self._connection):
                    self._fold_later()

    def _fold_now(self, connection: sqlite3.Connection) -> bool:
        """Copy what the log holds into the file, without waiting for anybody; whether that was all of it."""
        _, in_log, folded = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return in_log == folded

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
