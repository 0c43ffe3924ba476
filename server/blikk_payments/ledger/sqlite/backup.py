"""A copy of a SQLite ledger while it is in use: one snapshot, in a private file, verified."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from blikk_payments.errors import LedgerUnavailable
from blikk_payments.ledger.sql.rows import Rows
from blikk_payments.ledger.sql.verify import problems
from blikk_payments.ledger.sqlite.engine import SqliteEngine
from blikk_payments.ledger.sqlite.errors import explain
from blikk_payments.ledger.sqlite.schema import connect_to_look
from blikk_payments.system.private import create_private


def back_up(engine: SqliteEngine, target: Path) -> None:
    """Copy the ledger into a new file that only its owner can read, and verify the copy.

    Raises:
        LedgerUnavailable: there is such a file already, it cannot be written, or the copy does not add up: then there
            is none.
    """
    try:
        create_private(target)
    except FileExistsError:
        raise LedgerUnavailable("There is a file of that name already: a backup overwrites nothing.") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "input/output error"
        raise LedgerUnavailable(f"The backup cannot be written: {reason}.") from error
    try:
        with closing(sqlite3.connect(target)) as copy:
            engine.copy_to(copy)
        if found := _problems(target):
            raise LedgerUnavailable(
                f"The copy does not add up, and was removed: {found[0]} Run `blikk-mcp ledger verify`."
            )
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, sqlite3.Error):
            raise explain(error) from error
        raise


def _problems(target: Path) -> list[str]:
    with closing(connect_to_look(target)) as connection:
        damage = [str(text) for (text,) in connection.execute("PRAGMA integrity_check(1)").fetchall() if text != "ok"]
        return damage or list(problems(Rows(connection)))
