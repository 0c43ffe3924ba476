"""Open the ledger that a setting names."""

from __future__ import annotations

from pathlib import Path

from blikk_payments.errors import LedgerUnavailable
from blikk_payments.ledger.engine import Engine
from blikk_payments.ledger.pool import POSTGRES_TURNS, SQLITE_TURNS
from blikk_payments.ledger.processes import ProcessIdentity
from blikk_payments.ledger.sql.copying import copy_ledger
from blikk_payments.ledger.sql.ledger import SqlLedger
from blikk_payments.ledger.sqlite.backup import back_up
from blikk_payments.ledger.sqlite.engine import BUSY_TIMEOUT_SECONDS, SqliteEngine, Timer, run_later


class SqliteLedger(SqlLedger):
    """The ledger in one SQLite file: 0600 in a folder 0700, created if missing.

    `environment` (see `environment_key`): its first claim binds it to that one, and it refuses every other. `""`: any one's.
    """

    def __init__(
        self,
        path: Path,
        *,
        environment: str = "",
        process: ProcessIdentity | None = None,
        busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS,
        timer: Timer = run_later,
    ) -> None:
        self._sqlite = SqliteEngine(
            path, environment=environment, busy_timeout_seconds=busy_timeout_seconds, timer=timer
        )
        super().__init__(lambda: self._sqlite, process)

    def back_up(self, target: Path) -> None:
        """Copy the ledger into a new private file, and verify the copy.

        Raises:
            LedgerUnavailable: it was not made; nothing was overwritten.
        """
        back_up(self._sqlite, target)

    def close(self) -> None:
        """See `SqlLedger.close`: the engine is there from the start, and a backup alone opens it, too."""
        self._sqlite.close()


def open_ledger(
    location: Path | str, *, environment: str = "", process: ProcessIdentity | None = None, password: str = ""
) -> SqlLedger:
    """The ledger at this place: a file's path, or a `postgresql://` address and its password.

    Nothing is opened, and PostgreSQL's driver is not imported, before the first use.
    """
    if isinstance(location, Path):
        return SqliteLedger(location, environment=environment, process=process)

    def make() -> Engine:
        from blikk_payments.ledger.postgres.engine import PostgresEngine

        return PostgresEngine(location, password=password, environment=environment)

    return SqlLedger(make, process)


def turns_at(location: Path | str) -> int:
    """How many calls the ledger at this place takes at a time."""
    return SQLITE_TURNS if isinstance(location, Path) else POSTGRES_TURNS


def copy_to_postgres(source: Path, address: str, *, password: str = "") -> int:
    """Copy a SQLite ledger into an empty PostgreSQL database, verified; the number of payments.

    Raises:
        LedgerUnavailable: nothing was copied.
    """
    from blikk_payments.ledger.postgres.engine import PostgresEngine

    original, target = SqliteEngine(source), PostgresEngine(address, password=password)
    try:
        if not original.exists():
            raise LedgerUnavailable("There is no SQLite ledger to copy there. Nothing was copied.")
        return copy_ledger(original, target)
    finally:
        original.close()
        target.close()
