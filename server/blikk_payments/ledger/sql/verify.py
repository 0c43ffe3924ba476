"""What does not add up in a SQLite ledger: the hash chain, the payments against it, and their sums."""

from __future__ import annotations

from collections.abc import Iterator

from blikk_payments.ledger.history import broken_links
from blikk_payments.ledger.sql.rows import Rows
from blikk_payments.models import ClaimState


def problems(rows: Rows) -> Iterator[str]:
    """One sentence for everything that does not add up, from one snapshot read once."""
    digests: dict[str, str] = {}
    yield from broken_links(rows.links(), rows.genesis(), rows.head(), digests)
    sums: dict[str, tuple[int, int]] = {}
    payees = rows.payees()
    for stored in rows.everything():
        last = digests.pop(stored.key, None)
        if last is None:
            yield f"Payment {stored.key} has no history."
        elif last != stored.digest:
            yield f"Payment {stored.key} differs from its history."
        name = stored.record.creditor_name if stored.record.state is ClaimState.CREATED else ""
        if name and rows.fingerprints.payee(name, stored.account_fingerprint) not in payees:
            yield f"The payee of payment {stored.key} is not remembered as it was."
        for period, (claims, reserved) in stored.tallies().items():
            before = sums.get(period, (0, 0))
            sums[period] = (before[0] + claims, before[1] + reserved)
    for key in digests:
        yield f"Payment {key} is in the history, but its record is gone."
    for key in rows.miscounted():
        yield f"Payment {key} is not counted as its state says."
    kept = rows.tallies()
    for period in sorted({**kept, **sums}):
        if kept.get(period, (0, 0)) != sums.get(period, (0, 0)):
            yield f"The sums kept for {period} differ from the payments."
