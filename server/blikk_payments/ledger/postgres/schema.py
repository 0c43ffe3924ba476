"""The ledger's tables in PostgreSQL, and how they are made."""

from __future__ import annotations

import secrets
from typing import Any

from blikk_payments.errors import LedgerUnavailable
from blikk_payments.ledger.history import genesis

MIGRATION_LOCK = 0x424C4B4B
"""Names the advisory lock that one server holds while it makes the tables; the others wait for it."""

VERSION = 1
"""The newest version of the tables. A released one is never edited: the next is made by statements of its own."""

FOREIGN = "The ledger's database holds another program's tables. Name another database, or a schema in search_path."
NEWER = "The ledger was written by a newer blikk-mcp. Update this one."

# Texts are compared by their bytes ("C"): times and keys are ASCII, and no language's order is meant.
_VERSION_1 = (
    'CREATE TABLE meta (name TEXT COLLATE "C" PRIMARY KEY, value TEXT NOT NULL)',
    """
    CREATE TABLE payments (
        number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        idempotency_key TEXT COLLATE "C" NOT NULL UNIQUE,
        state TEXT NOT NULL CHECK (state IN ('claimed', 'sending', 'created', 'refused', 'unknown')),
        attempt BIGINT NOT NULL CHECK (attempt > 0),
        amount_isk BIGINT NOT NULL CHECK (amount_isk > 0),
        account_fingerprint TEXT COLLATE "C" NOT NULL,
        ssn_fingerprint TEXT COLLATE "C" NOT NULL,
        masked_account TEXT NOT NULL,
        creditor_name TEXT NOT NULL,
        purpose TEXT NOT NULL,
        warnings TEXT NOT NULL,
        payment_id TEXT COLLATE "C" NOT NULL CHECK ((state = 'created') = (payment_id != '')),
        status TEXT NOT NULL,
        approval_url TEXT NOT NULL,
        approval_url_at TEXT COLLATE "C" NOT NULL,
        refusal_code TEXT NOT NULL,
        bank_text TEXT NOT NULL,
        claimed_at TEXT COLLATE "C" NOT NULL,
        updated_at TEXT COLLATE "C" NOT NULL,
        sender TEXT NOT NULL,
        claim_token TEXT NOT NULL,
        holds INTEGER NOT NULL CHECK (holds IN (0, 1))
    )
    """,
    "CREATE UNIQUE INDEX payments_by_id ON payments (payment_id) WHERE payment_id != ''",
    "CREATE INDEX payments_by_time ON payments (claimed_at, number)",
    "CREATE INDEX payments_equal ON payments (account_fingerprint, amount_isk, claimed_at) WHERE holds = 1",
    "CREATE INDEX payments_unknown ON payments (account_fingerprint, amount_isk, claimed_at) WHERE state = 'unknown'",
    "CREATE INDEX payments_sending ON payments (claimed_at) WHERE state = 'sending'",
    "CREATE INDEX payments_failed ON payments (account_fingerprint, amount_isk, updated_at) WHERE holds = 0",
    'CREATE TABLE days (day TEXT COLLATE "C" PRIMARY KEY, reserved_isk BIGINT NOT NULL)',
    """
    CREATE TABLE payees (
        look TEXT COLLATE "C" NOT NULL,
        account_fingerprint TEXT COLLATE "C" NOT NULL,
        spelling TEXT COLLATE "C" NOT NULL,
        PRIMARY KEY (look, account_fingerprint, spelling)
    )
    """,
    """
    CREATE TABLE history (
        sequence BIGINT PRIMARY KEY,
        idempotency_key TEXT COLLATE "C" NOT NULL,
        at TEXT NOT NULL,
        event TEXT NOT NULL,
        detail TEXT NOT NULL,
        previous TEXT NOT NULL,
        hash TEXT NOT NULL
    )
    """,
    "CREATE INDEX history_by_key ON history (idempotency_key, sequence)",
    "CREATE INDEX history_by_event ON history (event) WHERE event = 'stray_answer'",
    """
    CREATE FUNCTION history_is_append_only() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'history is append-only'; END $$
    """,
    """
    CREATE TRIGGER history_is_never_changed BEFORE UPDATE OR DELETE ON history
    FOR EACH ROW EXECUTE FUNCTION history_is_append_only()
    """,
    """
    CREATE TRIGGER history_is_never_emptied BEFORE TRUNCATE ON history
    FOR EACH STATEMENT EXECUTE FUNCTION history_is_append_only()
    """,
)

TABLES = ("meta", "payments", "days", "payees", "history")


def has_tables(connection: Any) -> bool:
    """Whether there is a ledger, or something that has the name of one of its tables."""
    return bool(_tables(connection) & set(TABLES))


def may_make_tables(connection: Any) -> bool:
    """Whether the role may make tables in the first schema of its search path that it may use."""
    row = connection.execute("SELECT has_schema_privilege(current_schema(), 'CREATE')").fetchone()
    # NULL where it may use none.
    return bool(row and row[0])


def _tables(connection: Any) -> set[str]:
    query = "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
    return {str(name) for (name,) in connection.execute(query)}


def migrate(connection: Any) -> None:
    """Make the tables, or bring them to the newest version; two servers may do so at once.

    Raises:
        LedgerUnavailable: the database is another program's, or a newer version's.
        psycopg.Error: for the engine to put into words.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
        found = _tables(connection)
        if "meta" in found and set(TABLES) <= found:
            row = connection.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()
            if row is None:
                raise LedgerUnavailable(FOREIGN)
            if int(row[0]) > VERSION:
                raise LedgerUnavailable(NEWER)
            return
        if found & set(TABLES):
            raise LedgerUnavailable(FOREIGN)
        for statement in _VERSION_1:
            connection.execute(statement)
        key = secrets.token_bytes(32)
        for name, value in {
            "fingerprint_key": key.hex(),
            "head": f"0:{genesis(key)}",
            "version": str(VERSION),
        }.items():
            connection.execute("INSERT INTO meta (name, value) VALUES (%s, %s)", (name, value))
