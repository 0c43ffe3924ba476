"""The hash chain of the history: each row carries the hash of the row before it, so that an edit shows.

It shows an edit, a lost row and a cut-off end. It does not stop somebody who may write the file and knows
this code from computing a whole new chain.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from json.encoder import encode_basestring_ascii
from typing import NamedTuple

from blikk_payments.ledger.protocol import HistoryEntry

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


class Link(NamedTuple):
    """One history row as it is stored; `at` and `detail` are the exact texts that were hashed."""

    sequence: int
    idempotency_key: str
    at: str
    event: str
    detail: str
    previous: str
    hash: str

    def expected_hash(self) -> str:
        """The hash that these fields must have."""
        return digest(self[:-1])

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


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=repr)


def canonical_json(value: object) -> str:
    """The one JSON text of a value: sorted names, no spaces, ASCII. What is no JSON is shown as text."""
    return _ENCODER.encode(value)


def digest(fields: Iterable[object]) -> str:
    """SHA-256 of the fields' canonical JSON, as one list, in hex."""
    return hashlib.sha256(f"[{','.join(map(_in_list, fields))}]".encode("ascii")).hexdigest()


def _in_list(field: object) -> str:
    """The same text as `canonical_json` gives, without an encoder made anew for what nearly every field is."""
    if type(field) is str:
        return encode_basestring_ascii(field)
    return str(field) if type(field) is int else canonical_json(field)


def genesis(fingerprint_key: bytes) -> str:
    """The hash before the first row: bound to the ledger's fingerprint key, so that a changed key shows."""
    return digest(["blikk-mcp ledger", hashlib.sha256(fingerprint_key).hexdigest()])


def next_link(head: tuple[int, str], idempotency_key: str, at: str, event: Event, detail: Mapping[str, str]) -> Link:
    """The row that follows `head` (sequence and hash of the last row)."""
    unsealed = (head[0] + 1, idempotency_key, at, event.value, canonical_json(detail), head[1])
    return Link(*unsealed, digest(unsealed))


def broken_links(links: Iterator[Link], start: str, head: tuple[int, str], latest: dict[str, str]) -> list[str]:
    """One sentence for each break of the chain; fills `latest` with the last record digest of every key."""
    problems: list[str] = []
    sequence, previous = 0, start
    for link in links:
        if link.sequence != sequence + 1:
            problems.append(f"History rows {sequence + 1} to {link.sequence - 1} are missing.")
        elif link.previous != previous:
            problems.append(f"History row {link.sequence} does not follow from the row before it.")
        if link.expected_hash() != link.hash:
            problems.append(f"History row {link.sequence} was changed after it was written.")
        sequence, previous = link.sequence, link.hash
        latest[link.idempotency_key] = _record_digest(link.detail)
    if (sequence, previous) != head:
        problems.append(f"The history ends at row {sequence}, but row {head[0]} was written last.")
    return problems


def _record_digest(detail: str) -> str:
    try:
        value = json.loads(detail)
        return str(value[RECORD_DIGEST])
    except (ValueError, KeyError, TypeError):
        return ""
