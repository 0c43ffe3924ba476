"""What the ledger knows, told without asking Blikk."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from blikk_payments.collaborators import Blocking
from blikk_payments.ledger.protocol import Ledger
from blikk_payments.models import PaymentRecord


class Overview:
    """Questions to the ledger alone."""

    def __init__(self, ledger: Ledger, run_blocking: Blocking, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
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
