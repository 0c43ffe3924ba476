"""Send statements to the database together: while a write holds the one lock, everybody waits for its round trips.

A batch is one message, and not a pipeline of many: the database ends the transaction of a client that was stopped only
between two messages, so one that was stopped within a pipeline would hold the lock until somebody killed it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg

from blikk_payments.ledger.postgres.watchdog import Watchdog

MAX_STATEMENTS = 100
"""So many are sent though nobody has asked for an answer."""


class Answer:
    """What a statement found. Reading it sends everything that waits to be sent."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self.rows: list[Any] = []

    def fetchone(self) -> Any:
        """The next row, or None."""
        self._batches.send()
        return self.rows.pop(0) if self.rows else None

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        self._batches.send()
        return self.rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())


class Batches:
    """A connection that takes the ledger's SQL, with `?` for values, and sends a statement when an answer is read."""

    def __init__(self, connection: psycopg.Connection[Any], watchdog: Watchdog) -> None:
        # Values are put into the text by the driver, which escapes them: separate ones allow one statement a message.
        self._cursor = psycopg.ClientCursor(connection)
        self._watchdog = watchdog
        self._statements: list[str] = []
        self._values: list[Any] = []
        self._answers: list[Answer] = []

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Answer:
        """Run one statement, with the next one whose answer is read."""
        answer = Answer(self)
        self._statements.append(statement.replace("%", "%%").replace("?", "%s"))
        self._values.extend(values)
        self._answers.append(answer)
        if len(self._answers) >= MAX_STATEMENTS:
            self.send()
        return answer

    def send(self) -> None:
        """Send what waits, and take the answers.

        Raises:
            psycopg.Error: a statement failed, and those after it were not run.
        """
        if not self._answers:
            return
        text, values, answers = "; ".join(self._statements), self._values, self._answers
        self._statements, self._values, self._answers = [], [], []
        self._watchdog.answer(lambda: self._cursor.execute(text.encode(), values))
        for answer in answers:
            answer.rows = self._cursor.fetchall() if self._cursor.rownumber is not None else []
            self._cursor.nextset()
