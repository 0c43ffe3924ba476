"""The SQLite file of the ledger: how it is opened, and what is in it."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

from blikk_payments.errors import LedgerUnavailable
from blikk_payments.ledger.history import genesis
from blikk_payments.ledger.protocol import DAMAGED
from blikk_payments.ledger.sqlite.errors import LOST_LOG, is_busy
from blikk_payments.ledger.stored import Fingerprints

APPLICATION_ID = 0x424C4B4B
"""`BLKK`: tells this program's ledger from any other SQLite file."""

_WAL_RETRY_SECONDS = 0.01

SETTINGS = ("synchronous=FULL", "foreign_keys=ON", "cell_size_check=ON", "secure_delete=ON")
"""What every connection is told. `secure_delete` overwrites with zeros what is deleted: names that were pruned, say."""

_VERSION_1 = (
    """
    CREATE TABLE meta (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE payments (
        number INTEGER PRIMARY KEY,
        idempotency_key TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL CHECK (state IN ('claimed', 'sending', 'created', 'refused', 'unknown')),
        attempt INTEGER NOT NULL CHECK (typeof(attempt) = 'integer' AND attempt > 0),
        amount_isk INTEGER NOT NULL CHECK (typeof(amount_isk) = 'integer' AND amount_isk > 0),
        account_fingerprint TEXT NOT NULL,
        ssn_fingerprint TEXT NOT NULL,
        masked_account TEXT NOT NULL,
        creditor_name TEXT NOT NULL,
        purpose TEXT NOT NULL,
        warnings TEXT NOT NULL,
        payment_id TEXT NOT NULL CHECK ((state = 'created') = (payment_id != '')),
        status TEXT NOT NULL,
        approval_url TEXT NOT NULL,
        approval_url_at TEXT NOT NULL,
        refusal_code TEXT NOT NULL,
        bank_text TEXT NOT NULL,
        claimed_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        sender TEXT NOT NULL,
        holds INTEGER NOT NULL CHECK (holds IN (0, 1)),
        day TEXT GENERATED ALWAYS AS (substr(claimed_at, 1, 10)) VIRTUAL
    )
    """,
    # `holds`: it has not failed, so it takes room and holds up its equals. Each index serves one question.
    "CREATE UNIQUE INDEX payments_by_id ON payments (payment_id) WHERE payment_id != ''",
    "CREATE INDEX payments_by_time ON payments (claimed_at)",
    "CREATE INDEX payments_equal ON payments (account_fingerprint, amount_isk, claimed_at) WHERE holds = 1",
    """
    CREATE INDEX payments_unknown ON payments (account_fingerprint, amount_isk, claimed_at)
    WHERE state = 'unknown'
    """,
    "CREATE INDEX payments_sending ON payments (claimed_at) WHERE state = 'sending'",
    # One row a second (payments let through) and one a day (krónur reserved): a claim adds up no long lists.
    """
    CREATE TABLE tallies (
        period TEXT PRIMARY KEY,
        claims INTEGER NOT NULL CHECK (typeof(claims) = 'integer'),
        reserved_isk INTEGER NOT NULL CHECK (typeof(reserved_isk) = 'integer')
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE history (
        sequence INTEGER PRIMARY KEY,
        idempotency_key TEXT NOT NULL,
        at TEXT NOT NULL,
        event TEXT NOT NULL,
        detail TEXT NOT NULL,
        previous TEXT NOT NULL,
        hash TEXT NOT NULL
    )
    """,
    "CREATE INDEX history_by_key ON history (idempotency_key, sequence)",
    """
    CREATE TRIGGER history_is_never_changed BEFORE UPDATE ON history
    BEGIN SELECT RAISE(ABORT, 'history is append-only'); END
    """,
    """
    CREATE TRIGGER history_is_never_deleted BEFORE DELETE ON history
    BEGIN SELECT RAISE(ABORT, 'history is append-only'); END
    """,
)


def _create_version_1(connection: sqlite3.Connection) -> None:
    for statement in _VERSION_1:
        connection.execute(statement)
    fingerprint_key = secrets.token_bytes(32)
    connection.executemany(
        "INSERT INTO meta (name, value) VALUES (?, ?)",
        [("fingerprint_key", fingerprint_key.hex()), ("head", f"0:{genesis(fingerprint_key)}")],
    )


def _remember_payees(connection: sqlite3.Connection) -> None:
    """Version 2: the payees of payments that Blikk took, so that a name made to look like one of them is noticed."""
    connection.execute(
        """
        CREATE TABLE payees (
            look TEXT NOT NULL,
            account_fingerprint TEXT NOT NULL,
            spelling TEXT NOT NULL,
            PRIMARY KEY (look, account_fingerprint, spelling)
        ) WITHOUT ROWID
        """
    )
    try:
        (key,) = connection.execute("SELECT value FROM meta WHERE name = 'fingerprint_key'").fetchone()
        fingerprints = Fingerprints(bytes.fromhex(key))
    except (TypeError, ValueError) as error:
        raise LedgerUnavailable(DAMAGED) from error
    known = connection.execute(
        "SELECT DISTINCT creditor_name, account_fingerprint FROM payments WHERE state = 'created' AND creditor_name != ''"
    )
    payees = (fingerprints.payee(name, account) for name, account in known)
    connection.executemany(
        "INSERT OR IGNORE INTO payees (look, account_fingerprint, spelling) VALUES (?, ?, ?)", map(astuple, payees)
    )


def _keep_sums_of_days(connection: sqlite3.Connection) -> None:
    """Version 3: a claim has a token of its own; sums are kept of days only, and a minute's claims are counted."""
    for statement in (
        "CREATE TABLE days (day TEXT PRIMARY KEY, reserved_isk INTEGER NOT NULL) WITHOUT ROWID",
        "INSERT INTO days (day, reserved_isk) SELECT period, reserved_isk FROM tallies WHERE length(period) = 10",
        "DROP TABLE tallies",
        "ALTER TABLE payments DROP COLUMN day",
        "ALTER TABLE payments ADD COLUMN claim_token TEXT NOT NULL DEFAULT ''",
        "CREATE INDEX history_by_event ON history (event) WHERE event = 'stray_answer'",
    ):
        connection.execute(statement)


def _find_failures(connection: sqlite3.Connection) -> None:
    """Version 4: equal payments that failed just now are looked for before every create, and not among all payments."""
    connection.execute(
        "CREATE INDEX payments_failed ON payments (account_fingerprint, amount_isk, updated_at) WHERE holds = 0"
    )


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _create_version_1,
    _remember_payees,
    _keep_sums_of_days,
    _find_failures,
)
"""What makes version n+1 of version n, in order. A released one is never edited."""


def connect(path: Path, busy_timeout_seconds: float) -> sqlite3.Connection:
    """Open an existing file as a ledger at the newest version.

    Raises:
        LedgerUnavailable: it is no ledger of ours, from a newer version, damaged, or cannot be written.
        sqlite3.Error: for `explain` to put into words.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=busy_timeout_seconds,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        _require_ours(connection)
        _require_log(connection)
        for setting in SETTINGS:
            connection.execute(f"PRAGMA {setting}")
        # The tables are there before the write-ahead log is: so a file that has no tables and is not empty has lost
        # its log, and with it what was paid.
        _migrate(connection)
        _enter_wal(connection, busy_timeout_seconds)
    except BaseException:
        connection.close()
        raise
    return connection


def _require_ours(connection: sqlite3.Connection) -> None:
    """Look before anything is changed."""
    # One statement, one snapshot: another process may be filling it right now.
    application, version, tables = connection.execute(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master) "
        "FROM pragma_application_id, pragma_user_version"
    ).fetchone()
    if application != APPLICATION_ID and (application, version, tables) != (0, 0, 0):
        raise LedgerUnavailable("The ledger's file is another program's database. Name another file.")
    if version > len(MIGRATIONS):
        raise LedgerUnavailable("The ledger was written by a newer blikk-mcp. Update this one.")


def _require_log(connection: sqlite3.Connection) -> None:
    """Refuse a file that has pages and no tables. One of no pages at all is one that nobody has filled yet."""
    pages, tables = connection.execute(
        "SELECT page_count, (SELECT count(*) FROM sqlite_master) FROM pragma_page_count"
    ).fetchone()
    if pages > 0 and tables == 0:
        raise LedgerUnavailable(LOST_LOG)


def connect_to_look(path: Path) -> sqlite3.Connection:
    """Open a ledger for reading where not even its log can be made: nobody writes to it, so it stands still.

    Raises:
        sqlite3.Error: for `explain` to put into words.
    """
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None, check_same_thread=False
    )


def _enter_wal(connection: sqlite3.Connection, busy_timeout_seconds: float) -> None:
    """Turn on write-ahead logging. Here two processes that create a ledger at once can collide."""
    deadline = time.monotonic() + busy_timeout_seconds
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
            break
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() >= deadline:
                raise
            time.sleep(_WAL_RETRY_SECONDS)
    if mode != "wal":
        raise LedgerUnavailable("The ledger's disk does not support write-ahead logging. Use a local disk.")


def _migrate(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have been first.
        _require_ours(connection)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for step in MIGRATIONS[version:]:
            step(connection)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
