"""An open database, as far as the ledger's SQL needs one, and its table of single values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from blikk_payments.errors import LedgerUnavailable
from blikk_payments.ledger.protocol import DAMAGED

Part = TypeVar("Part")


class Cursor(Protocol):
    """What a statement found."""

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


def found_meta(connection: Connection, name: str) -> str | None:
    """A single value of the ledger's, or None if it was never set."""
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row[0])


def meta(connection: Connection, name: str) -> str:
    """A single value that every ledger has.

    Raises:
        LedgerUnavailable: this one has not.
    """
    value = found_meta(connection, name)
    if value is None:
        raise LedgerUnavailable(DAMAGED)
    return value


def parsed(read: Callable[[str], Part], text: str) -> Part:
    """What the ledger's text says.

    Raises:
        LedgerUnavailable: this program never writes such a text.
    """
    try:
        return read(text)
    except ValueError as error:
        raise LedgerUnavailable(DAMAGED) from error
