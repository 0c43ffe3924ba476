"""Which ledger a setting means, and its opening."""

from __future__ import annotations

from pathlib import Path

from blikk_payments.ledger.processes import ProcessIdentity
from blikk_payments.ledger.sql.ledger import SqlLedger
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
