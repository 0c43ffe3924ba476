"""One open SQLite file, shared by threads: a transaction at a time, and every error in words."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

from blikk_payments.errors import BUSY, LedgerUnavailable, WouldWait
from blikk_payments.ledger.sql.rows import Rows
from blikk_payments.ledger.sqlite.paths import file_identity, secure_file
from blikk_payments.ledger.sqlite.schema import connect, explain, is_busy

T = TypeVar("T")

_WRITE, _READ = "BEGIN IMMEDIATE", "BEGIN"


class Locked(AbstractContextManager[Rows]):
    """The open file while this thread alone has it. What takes it and lets it go is `SqliteFile`'s."""

    # A generator would do. But a create makes two transactions, and this is three times as fast.

    def __init__(self, take: Callable[[], Rows], let_go: Callable[[BaseException | None], None]) -> None:
        self._take = take
        self._let_go = let_go

    def __enter__(self) -> Rows:
        return self._take()

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._let_go(error)


class SqliteFile:
    """Opens the file on first use. After an error of the disk or the file it is opened, and checked, anew."""

    def __init__(self, path: Path, busy_timeout_seconds: float, blikk: str = "") -> None:
        self._path = path
        self._busy_timeout_seconds = busy_timeout_seconds
        self._blikk = blikk
        self._lock = threading.RLock()
        self._shared: sqlite3.Connection | None = None
        self._begun = False
        self._at_once = False
        self._waits_seconds = busy_timeout_seconds
        self._rows: Rows | None = None
        self._identity: tuple[int, int] | None = None

    def writing(self) -> AbstractContextManager[Rows]:
        """One transaction that takes the write lock at once and is durable at its end; an error undoes it.

        Raises:
            LedgerUnavailable: it could not be opened, locked, read or written.
        """
        return self._transaction(_WRITE)

    def reading(self) -> AbstractContextManager[Rows]:
        """One snapshot.

        Raises:
            LedgerUnavailable: it could not be opened or read.
        """
        return self._transaction(_READ)

    @contextmanager
    def together(self) -> Generator[None]:
        """One durable commit, at the end, of all that this thread writes meanwhile; an error in a `writing` undoes it alone.

        Raises:
            LedgerUnavailable: nothing that was written meanwhile is kept.
        """
        with self._locked() as rows:
            self._shared, self._begun = rows.connection, False
            try:
                yield
                if self._begun:
                    self._still_shared()
                    rows.connection.execute("COMMIT")
            finally:
                self._shared = None
                if self._rows is rows and rows.connection.in_transaction:
                    rows.connection.execute("ROLLBACK")

    def at_once(self, call: Callable[[], T], /) -> T:
        """Make a call whose transactions wait for nothing.

        Raises:
            WouldWait: another thread or process is at the file, or it is not open. Nothing was done.
        """
        if not self._lock.acquire(blocking=False):
            raise WouldWait(BUSY)
        try:
            if self._rows is None:
                raise WouldWait(BUSY)
            self._at_once = True
            return call()
        finally:
            self._at_once = False
            self._lock.release()

    def empty_log(self) -> None:
        """Fold the write-ahead log, with what it holds of the past, into the file; left for later if it is in use."""
        with self._locked() as rows:
            rows.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        with self._lock:
            self._drop()

    @contextmanager
    def _transaction(self, begin: str) -> Generator[Rows]:
        with self._locked() as rows:
            if self._shared is not None:
                self._still_shared()
                if self._begun or begin == _WRITE:
                    with self._part(rows.connection):
                        yield rows
                    return
            rows.connection.execute(begin)
            try:
                yield rows
                rows.connection.execute("COMMIT")
            finally:
                if rows.connection.in_transaction:
                    rows.connection.execute("ROLLBACK")

    @contextmanager
    def _part(self, connection: sqlite3.Connection) -> Generator[None]:
        """One of the transactions that are committed together."""
        if not self._begun:
            connection.execute(_WRITE)
            self._begun = True
        connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            # An error of the disk may have ended the whole of it: then there is nothing to go back to.
            if connection.in_transaction:
                connection.execute("ROLLBACK TO part")
            raise
        finally:
            if connection.in_transaction:
                connection.execute("RELEASE part")

    def _still_shared(self) -> None:
        """Raise if some of what was written together is lost: nothing that follows it may be kept, or told."""
        connection = self._rows and self._rows.connection
        if connection is None or connection is not self._shared or (self._begun and not connection.in_transaction):
            raise LedgerUnavailable("The ledger failed while it was written to, and kept nothing of it. Try again.")

    def _locked(self) -> Locked:
        return Locked(self._take, self._let_go)

    def _take(self) -> Rows:
        if not self._lock.acquire(timeout=self._busy_timeout_seconds):
            raise LedgerUnavailable(BUSY)
        try:
            return self._open()
        except BaseException as error:
            self._let_go(error)
            raise

    def _let_go(self, error: BaseException | None) -> None:
        """Let others have the file. An error of SQLite's is told in words, and after it the file is opened anew."""
        try:
            if isinstance(error, sqlite3.Error):
                if not is_busy(error):
                    self._drop()
                elif self._at_once:
                    raise WouldWait(BUSY) from error
                raise explain(error) from error
            if isinstance(error, (UnicodeEncodeError, OverflowError)):
                raise LedgerUnavailable("The ledger cannot hold this text or number.") from error
        finally:
            self._lock.release()

    def _open(self) -> Rows:
        # Writing on to a file that lost its name would claim keys where no other process looks; and a new one in
        # its place would have forgotten what was paid.
        if self._identity is not None and file_identity(self._path) != self._identity:
            raise LedgerUnavailable("The ledger was moved or replaced while in use. Put it back, or restart.")
        if self._rows is None:
            identity = secure_file(self._path)
            connection = connect(self._path, self._busy_timeout_seconds)
            try:
                self._rows = Rows(connection, self._blikk)
            except BaseException:
                connection.close()
                raise
            self._identity = identity
        self._wait_at_most(self._rows.connection, 0.0 if self._at_once else self._busy_timeout_seconds)
        return self._rows

    def _wait_at_most(self, connection: sqlite3.Connection, seconds: float) -> None:
        if seconds != self._waits_seconds:
            connection.execute(f"PRAGMA busy_timeout={seconds * 1_000:.0f}").fetchall()
            self._waits_seconds = seconds

    def _drop(self) -> None:
        rows, self._rows = self._rows, None
        if rows is not None:
            rows.connection.close()
