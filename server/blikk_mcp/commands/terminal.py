"""What people read: tables and colour where there is a terminal, plain lines where there is none.

Everything is redacted before it is laid out: a key that was folded into two lines could no longer be found.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

UNBOUNDED_COLUMNS = 10_000
"""The width where nobody's screen sets one: a line that a program reads must not be broken."""

WHOLE_WORD = 12
"""Columns that fit the longest everyday outcome, status and amount: these are read at a glance."""

STYLES = {
    "paid": "green",
    "failed": "dim",
    "refused": "dim",
    "needs_human": "cyan",
    "pending": "cyan",
    "unknown": "bold red",
}

Redact = Callable[[str], str]


class StdoutConsole(Console):
    """rich's, without its exit code of 1 where the reader has seen enough, `head` for one: the command has its own."""

    def __init__(self) -> None:
        super().__init__(file=sys.stdout, markup=False, emoji=False, highlight=False)

    def on_broken_pipe(self) -> None:
        """Go on, and print nothing more."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


class Terminal:
    """stdout, laid out."""

    def __init__(self, redact: Redact) -> None:
        self._redact = redact
        self._console = StdoutConsole()
        if not self._console.is_terminal:
            self._console.width = UNBOUNDED_COLUMNS

    @property
    def columns(self) -> int:
        """How wide a line may be."""
        return self._console.width

    def line(self, text: str = "", style: str = "") -> None:
        """One line of text; a long one is broken between words."""
        self._console.print(Text(self._redact(text), style=style))

    def marked(self, mark: str, text: str, style: str) -> None:
        """A line that begins with a mark, which its further lines leave free."""
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(Text(self._symbol(mark), style=style), Text(self._redact(text)))
        self._console.print(grid)

    def table(
        self,
        heads: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        right: Sequence[str] = (),
        whole: Sequence[str] = (),
    ) -> None:
        """A table; a word that `STYLES` knows has its colour. Up to 12 characters of a `whole` column are not broken."""
        table = Table(
            box=box.SIMPLE_HEAD if self._console.is_terminal else None,
            pad_edge=False,
            header_style="bold",
            padding=(0, 1, 0, 0),
        )
        for head in heads:
            justify = "right" if head in right else "left"
            table.add_column(head, justify=justify, overflow="fold", min_width=WHOLE_WORD if head in whole else None)
        for row in rows:
            table.add_row(*(Text(self._redact(cell), style=STYLES.get(cell, "")) for cell in row))
        self._console.print(table)

    def _symbol(self, mark: str) -> str:
        """A mark that the terminal can show."""
        try:
            mark.encode(self._console.encoding)
        except (UnicodeEncodeError, LookupError):
            return {"✓": "ok", "✗": "x", "!": "!"}.get(mark, "-")
        return mark
