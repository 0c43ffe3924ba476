"""Find what does not add up in a ledger: the hash chain, the payments against it, and their sums."""

from __future__ import annotations

from collections.abc import Iterator

from blikk_payments.ledger.history import broken_links, record_digest
from blikk_payments.ledger.sql.rows import Rows
from blikk_payments.models import ClaimState


def problems(rows: Rows) -> Iterator[str]:
    """One sentence for everything that does not add up, from one snapshot read once."""
    latest: dict[str, str] = {}
    yield from broken_links(rows.chain.entries(), rows.chain.genesis(), rows.chain.head(), latest)
    sums: dict[str, int] = {}
    payees = rows.payees()
    for stored in rows.everything():
        last = latest.pop(stored.key, None)
        if last is None:
            yield f"Payment {stored.key} has no history."
        elif record_digest(last) != stored.digest:
            yield f"Payment {stored.key} differs from its history."
        name = stored.record.creditor_name if stored.record.state is ClaimState.CREATED else ""
        if name and rows.fingerprints.payee(name, stored.account_fingerprint) not in payees:
            yield f"The payee of payment {stored.key} is not remembered as it was."
        day = stored.day
        sums[day] = sums.get(day, 0) + stored.reserved_isk()
    for key in latest:
        yield f"Payment {key} is in the history, but its record is gone."
    for key in rows.miscounted():
        yield f"Payment {key} is not counted as its state says."
    kept = rows.days()
    for day in sorted({**kept, **sums}):
        if kept.get(day, 0) != sums.get(day, 0):
            yield f"The sum kept for {day} differs from the payments."
