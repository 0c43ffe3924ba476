"""The opening of the ledger that a setting means."""

from __future__ import annotations

from pathlib import Path

from blikk_payments.ledger.processes import ProcessIdentity
from blikk_payments.ledger.sql.ledger import SqlLedger
from blikk_payments.ledger.sqlite.backup import back_up
from blikk_payments.ledger.sqlite.engine import BUSY_TIMEOUT_SECONDS, SqliteEngine, Timer, run_later


class SqliteLedger(SqlLedger):
    """The ledger in one SQLite file: 0600 in a folder 0700, created if missing.

    `blikk` (see `blikk_of`): its first claim binds it to that one, and it refuses every other. `""`: any one's.
    """

    def __init__(
        self,
        path: Path,
        *,
        blikk: str = "",
        process: ProcessIdentity | None = None,
        busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS,
        timer: Timer = run_later,
    ) -> None:
        engine = SqliteEngine(path, environment=blikk, busy_timeout_seconds=busy_timeout_seconds, timer=timer)
        super().__init__(engine, process)
        self._sqlite = engine

    def back_up(self, target: Path) -> None:
        """Copy the ledger into a new private file, and verify the copy.

        Raises:
            LedgerUnavailable: it was not made; nothing was overwritten.
        """
        back_up(self._sqlite, target)


def open_ledger(
    location: Path | str, *, blikk: str = "", process: ProcessIdentity | None = None, password: str = ""
) -> SqlLedger:
    """The ledger at this place: a file's path, or a `postgresql://` address and its password.

    Nothing is opened before the first use. PostgreSQL's library is an extra and is imported here alone.

    Raises:
        LedgerUnavailable: the address cannot be read, or asks for an unencrypted way to another machine.
        ModuleNotFoundError: the extra is not installed.
    """
    if isinstance(location, Path):
        return SqliteLedger(location, blikk=blikk, process=process)
    from blikk_payments.ledger.postgres.engine import PostgresEngine

    engine = PostgresEngine(location, password=password, environment=blikk)
    return SqlLedger(engine, process)
