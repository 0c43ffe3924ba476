"""What an engine promises to the money logic: run one transaction of the ledger's database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from blikk_payments.ledger.sql.rows import Rows

T = TypeVar("T")


class Engine(Protocol):
    """Runs `work`, which reads and writes `Rows` and does nothing else: it may be run twice.

    Raises:
        LedgerUnavailable: in words for a person, where the database cannot be opened, read or written.
    """

    def write(self, work: Callable[[Rows], T]) -> T:
        """Run `work` while nobody else writes; durable when this returns, undone if it raises."""
        ...

    def read(self, work: Callable[[Rows], T]) -> T:
        """Run `work` on one snapshot. Waits for no writer, and works where nothing can be written."""
        ...

    def exists(self) -> bool:
        """Whether there is a ledger. Makes none."""
        ...

    def check(self) -> list[str]:
        """What the database itself finds wrong with what it stores, a sentence each. Reads all of it."""
        ...

    def forget(self) -> None:
        """Overwrite what was deleted, as far as the database can; left for later where it is in use."""
        ...

    def close(self) -> None:
        """Let go of the database; the next use opens it again."""
        ...
