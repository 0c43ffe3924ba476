"""The history of a ledger: rows that are appended, each with the hash of the one before it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime

from blikk_payments.ledger.history import RECORD_DIGEST, ChainEntry, Event, genesis, next_entry
from blikk_payments.ledger.sql.connection import Connection, parsed
from blikk_payments.ledger.stored import StoredPayment, utc_text

_SELECT = "SELECT sequence, idempotency_key, at, event, detail, previous, hash FROM history"
_INSERT = (
    "INSERT INTO history (sequence, idempotency_key, at, event, detail, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?)"
)

_WITH_STRAY_IDS = frozenset({Event.STRAY_ANSWER.value, Event.UNKNOWN.value})
"""A second answer, and the doubt that it threw on the first, each with its payment's id."""


class Chain:
    """The history's rows, inside a transaction that somebody else begins and ends."""

    def __init__(self, connection: Connection, fingerprint_key: bytes, head: str) -> None:
        self._connection = connection
        self._fingerprint_key = fingerprint_key
        self._head = head

    def append(self, stored: StoredPayment, events: Mapping[Event, Mapping[str, str]], now: datetime) -> None:
        """Append what happened to a payment, with its digest as it is now."""
        every = {"attempt": str(stored.record.attempt), RECORD_DIGEST: stored.digest}
        head, at = self.head(), utc_text(now)
        for event, detail in events.items():
            entry = next_entry(head, stored.key, at, event, {**detail, **every})
            self._connection.execute(_INSERT, (*entry.hashed, entry.hash))
            head = entry.sequence, entry.hash
        self._head = f"{head[0]}:{head[1]}"
        self._connection.execute("UPDATE meta SET value = ? WHERE name = 'head'", (self._head,))

    def of(self, idempotency_key: str) -> list[ChainEntry]:
        """The history of one payment, oldest first."""
        query = f"{_SELECT} WHERE idempotency_key = ? ORDER BY sequence"
        return [ChainEntry(*row) for row in self._connection.execute(query, (idempotency_key,)).fetchall()]

    def entries(self) -> Iterator[ChainEntry]:
        """The whole history, oldest first."""
        return (ChainEntry(*row) for row in self._connection.execute(f"{_SELECT} ORDER BY sequence"))

    def keys_with(self, event: Event) -> list[str]:
        """The keys of the payments to which this happened."""
        query = "SELECT DISTINCT idempotency_key FROM history WHERE event = ? ORDER BY idempotency_key"
        return [str(key) for (key,) in self._connection.execute(query, (event.value,)).fetchall()]

    def key_of_stray(self, payment_id: str) -> str | None:
        """The key for which Blikk made more than one payment, this one among them."""
        # Strays are few, and each has a short history.
        for key in self.keys_with(Event.STRAY_ANSWER):
            for entry in self.of(key):
                if entry.event in _WITH_STRAY_IDS and parsed(json.loads, entry.detail).get("payment_id") == payment_id:
                    return key
        return None

    def genesis(self) -> str:
        """What the first row follows from."""
        return genesis(self._fingerprint_key)

    def head(self) -> tuple[int, str]:
        """Sequence and hash of the row that was written last."""
        sequence, _, last_hash = self._head.partition(":")
        return parsed(int, sequence), last_hash
