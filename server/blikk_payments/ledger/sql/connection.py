"""The little that the ledger's SQL needs of an open database, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from blikk_payments.errors import LedgerUnavailable
from blikk_payments.ledger.protocol import DAMAGED

Part = TypeVar("Part")


class Cursor(Protocol):
    """What a statement found. Over a network its answer may still be on the way: ask all there is to ask, then read."""

    def fetchone(self) -> Any:
        """The next row, or None."""
        ...

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """An open database; its SQL has `?` for values."""

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Cursor:
        """Run one statement."""
        ...


def parsed(read: Callable[[str], Part], text: str) -> Part:
    """What the ledger's text says.

    Raises:
        LedgerUnavailable: this program never writes such a text.
    """
    try:
        return read(text)
    except ValueError as error:
        raise LedgerUnavailable(DAMAGED) from error
