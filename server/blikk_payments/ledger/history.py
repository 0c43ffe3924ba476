"""The hash chain of the history: each row carries the hash of the row before it, so that an edit shows.

It shows an edit, a lost row and a cut-off end. It does not stop somebody who may write the file and knows
this code from computing a whole new chain.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from blikk_payments.ledger.protocol import HistoryEntry

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=repr)
"""Made once: a ledger of 100,000 payments is verified with half a million texts."""

RECORD_DIGEST = "record_digest"
"""The name in a row's detail under which the payment's digest after that event is kept."""


class Event(StrEnum):
    """What a history row tells."""

    CLAIMED = "claimed"
    SENDING = "sending"
    CREATED = "created"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    SEEN = "seen"
    RESOLVED_CREATED = "resolved_created"
    RESOLVED_NOT_CREATED = "resolved_not_created"
    # Blikk named a payment that the record under this key cannot take: nothing changed, a person has to look.
    STRAY_ANSWER = "stray_answer"
    PRUNED = "pruned"


@dataclass(frozen=True, slots=True)
class ChainEntry:
    """One history row as it is stored; `at` and `detail` are the exact texts that were hashed."""

    sequence: int
    idempotency_key: str
    at: str
    event: str
    detail: str
    previous: str
    hash: str

    @property
    def hashed(self) -> tuple[int, str, str, str, str, str]:
        """The fields that the hash covers."""
        return self.sequence, self.idempotency_key, self.at, self.event, self.detail, self.previous

    def expected_hash(self) -> str:
        """The hash that these fields must have."""
        return digest(self.hashed)

    def entry(self) -> HistoryEntry:
        """The row as the ledger shows it."""
        return HistoryEntry(
            sequence=self.sequence,
            idempotency_key=self.idempotency_key,
            at=datetime.fromisoformat(self.at),
            event=self.event,
            detail=json.loads(self.detail),
            hash=self.hash,
        )


def canonical_json(value: object) -> str:
    """The one JSON text of a value: sorted names, no spaces, ASCII. What is no JSON is shown as text."""
    return _CANONICAL.encode(value)


def digest(fields: Iterable[object]) -> str:
    """SHA-256 of the fields' canonical JSON, as one list, in hex."""
    return hashlib.sha256(canonical_json(list(fields)).encode("ascii")).hexdigest()


def genesis(fingerprint_key: bytes) -> str:
    """The hash before the first row: bound to the ledger's fingerprint key, so that a changed key shows."""
    return digest(["blikk-mcp ledger", hashlib.sha256(fingerprint_key).hexdigest()])


def next_entry(
    head: tuple[int, str], idempotency_key: str, at: str, event: Event, detail: Mapping[str, str]
) -> ChainEntry:
    """The row that follows `head` (sequence and hash of the last row)."""
    unsealed = (head[0] + 1, idempotency_key, at, event.value, canonical_json(detail), head[1])
    return ChainEntry(*unsealed, digest(unsealed))


def broken_links(entries: Iterator[ChainEntry], start: str, head: tuple[int, str], latest: dict[str, str]) -> list[str]:
    """One sentence for each break of the chain; fills `latest` with the detail of every key's last row."""
    problems: list[str] = []
    sequence, previous = 0, start
    for entry in entries:
        if entry.sequence != sequence + 1:
            problems.append(f"History rows {sequence + 1} to {entry.sequence - 1} are missing.")
        elif entry.previous != previous:
            problems.append(f"History row {entry.sequence} does not follow from the row before it.")
        if entry.expected_hash() != entry.hash:
            problems.append(f"History row {entry.sequence} was changed after it was written.")
        sequence, previous = entry.sequence, entry.hash
        latest[entry.idempotency_key] = entry.detail
    if (sequence, previous) != head:
        problems.append(f"The history ends at row {sequence}, but row {head[0]} was written last.")
    return problems


def record_digest(detail: str) -> str:
    """The payment's digest that a row's detail holds; `""` if it holds none."""
    try:
        value = json.loads(detail)
        return str(value[RECORD_DIGEST])
    except (ValueError, KeyError, TypeError):
        return ""
