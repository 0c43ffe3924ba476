"""Say in words for a person what SQLite's errors, and a file that lost a part of itself, mean."""

from __future__ import annotations

import sqlite3

from blikk_payments.errors import LedgerUnavailable
from blikk_payments.ledger.protocol import DAMAGED

LOST_LOG = (
    "The ledger's file has no payments in it: its -wal file, which held them, is missing. Put the two back together, "
    "or restore the newest backup. Only if this ledger was never used, remove the file."
)

LOST_FILE = (
    "The ledger's file is missing, and its -wal file is still there: the file was moved or deleted while in use. Put it "
    "back, or restore the newest backup."
)

_WORDS = {
    "SQLITE_BUSY": "Another process is holding the ledger. Try again in a moment, or look for a stuck one.",
    "SQLITE_LOCKED": "Another process is holding the ledger. Try again in a moment.",
    "SQLITE_FULL": "The ledger cannot be written: the disk is full. Free some space.",
    "SQLITE_READONLY": "The ledger cannot be written: it, its folder or its disk is read-only. Check permissions.",
    "SQLITE_CANTOPEN": "The ledger cannot be opened. Check that its file and folder may be read and written.",
    "SQLITE_PERM": "The ledger cannot be opened. Check its permissions.",
    "SQLITE_IOERR": "The ledger's disk answers with an error. Check its free space, quota and health.",
    "SQLITE_CORRUPT": DAMAGED,
    "SQLITE_NOTADB": "The ledger's file is no ledger, or is damaged. Restore a backup, or name another file.",
}


def is_busy(error: sqlite3.Error) -> bool:
    """Whether somebody else holds the lock, and nothing is wrong with the file."""
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def is_read_only(error: sqlite3.Error) -> bool:
    """Whether the file, or its log beside it, could not be opened for writing."""
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN"))


def explain(error: sqlite3.Error) -> LedgerUnavailable:
    """What an error of SQLite's means, and what to do. No path and nothing from a record is in the text."""
    name = str(getattr(error, "sqlite_errorname", ""))
    for start, words in _WORDS.items():
        if name.startswith(start):
            return LedgerUnavailable(words)
    return LedgerUnavailable(f"The ledger cannot be used ({name or type(error).__name__}). Run blikk-mcp doctor.")
