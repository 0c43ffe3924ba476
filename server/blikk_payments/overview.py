"""Questions that the ledger answers alone, without asking Blikk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from blikk_payments.collaborators import Blocking
from blikk_payments.ledger.protocol import Ledger, Only
from blikk_payments.models import PaymentRecord
from blikk_payments.policy import Policy


@dataclass(frozen=True, slots=True)
class Listing:
    """The newest payments, whether there are `more`, and the room that the limits leave, in whole krónur."""

    records: tuple[PaymentRecord, ...]
    more: bool
    most_per_payment_isk: int
    left_today_isk: int


class Overview:
    """Questions to the ledger alone."""

    def __init__(self, ledger: Ledger, policy: Policy, run_blocking: Blocking, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._policy = policy
        self._run_blocking = run_blocking
        self._now = now

    async def under_key(self, name: str) -> PaymentRecord | None:
        """Find the payment made under this idempotency key, unless the name is a payment's id: models mix the two up.

        Raises:
            LedgerUnavailable: the ledger cannot be read.
        """

        def find() -> PaymentRecord | None:
            now = self._now()
            if self._ledger.by_payment_id(name, now=now) is not None:
                return None
            return self._ledger.by_key(name, now=now)

        return await self._run_blocking(find)

    async def newest(self, only: Only, limit: int) -> Listing:
        """List the newest payments of that kind, newest first, and what may still be paid today (UTC).

        Raises:
            LedgerUnavailable: the ledger cannot be read.
        """
        recent = await self._run_blocking(lambda: self._ledger.recent(only, limit=limit, now=self._now()))
        left = max(0, self._policy.daily_limit_isk - recent.reserved_today_isk)
        return Listing(recent.records, recent.more, self._policy.max_amount_isk, left)
