"""A whole ledger, copied into an empty one of whatever engine: rows, history and fingerprint key as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from blikk_payments.errors import LedgerUnavailable
from blikk_payments.ledger.engine import Engine
from blikk_payments.ledger.sql.columns import COLUMNS
from blikk_payments.ledger.sql.connection import Connection
from blikk_payments.ledger.sql.rows import Rows
from blikk_payments.ledger.sql.verify import problems

ROWS_A_STATEMENT = 200

NOT_EMPTY = "The ledger to copy into holds something already. Nothing was copied."
BROKEN = "The copy would not add up, so nothing was copied. Run `blikk-mcp ledger verify` on the original."

_TABLES = (
    ("payments", COLUMNS, "number"),
    ("days", "day, reserved_isk", "day"),
    ("payees", "look, account_fingerprint, spelling", "look, account_fingerprint, spelling"),
    ("history", "sequence, idempotency_key, at, event, detail, previous, hash", "sequence"),
)


def copy_ledger(source: Engine, target: Engine) -> int:
    """Copy one snapshot in one transaction, verified before it is committed; the number of payments.

    Raises:
        LedgerUnavailable: the target is not empty, the copy does not add up, or one of the two cannot be used.
    """
    return source.read(lambda original: target.write(lambda rows: _copy(original.connection, rows.connection)))


def _copy(source: Connection, target: Connection) -> int:
    for table, *_ in _TABLES:
        if target.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone():  # noqa: S608 - constants only, here and below
            raise LedgerUnavailable(NOT_EMPTY)
    if target.execute("SELECT 1 FROM meta WHERE name = 'blikk'").fetchone():
        raise LedgerUnavailable(NOT_EMPTY)
    for name, value in source.execute(
        "SELECT name, value FROM meta WHERE name IN ('fingerprint_key', 'head', 'blikk')"
    ):
        target.execute(
            "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )
    for table, columns, order in _TABLES:
        found = iter(source.execute(f"SELECT {columns} FROM {table} ORDER BY {order}"))  # noqa: S608
        for batch in _batches(found):
            places = ", ".join(f"({', '.join('?' * len(row))})" for row in batch)
            values = [value for row in batch for value in row]
            target.execute(f"INSERT INTO {table} ({columns}) VALUES {places}", values)  # noqa: S608
    if any(problems(Rows(target))):
        raise LedgerUnavailable(BROKEN)
    return int(target.execute("SELECT count(*) FROM payments").fetchone()[0])


def _batches(rows: Iterator[Sequence[object]]) -> Iterator[list[Sequence[object]]]:
    while batch := list(islice(rows, ROWS_A_STATEMENT)):
        yield batch
