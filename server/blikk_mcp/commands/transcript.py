"""The demo's transcript: 80 columns that a person can follow, in colour and boxes where there is a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

COLUMNS = 80
"""Wider screens are not used: long lines are hard to read."""


def as_it_is(text: str) -> str:
    """Change nothing."""
    return text


class Transcript:
    """What the demo prints. `said` may change a text before it is laid out: a picture needs the same ids each time."""

    def __init__(self, console: Console, said: Callable[[str], str] = as_it_is) -> None:
        console.width = min(console.width, COLUMNS) if console.is_terminal else COLUMNS
        self._console = console
        self._said = said

    def title(self, text: str, style: str = "bold cyan") -> None:
        """A heading, with a line under it."""
        text = self._said(text)
        rule = "-" if self._console.options.ascii_only or not self._console.is_terminal else "─"
        self._print(Text())
        self._print(Text(text, style=style))
        self._print(Text(rule * min(len(text), self._console.width), style="dim"))

    def say(self, text: str, style: str = "") -> None:
        """A paragraph."""
        self._print(Text(self._said(text), style=style))

    def item(self, name: str, text: str) -> None:
        """One line of a list."""
        self._print(self._pair(Text(f"- {name}:", style="bold"), Text(self._said(text))))

    def arguments(self, arguments: Mapping[str, Any]) -> None:
        """What the agent sends."""
        for name, value in arguments.items():
            self._field(name, value)

    def result(self, result: Mapping[str, Any], *fields: str) -> None:
        """Some of the fields that the agent gets back."""
        for name in fields:
            self._field(name, result[name])

    def quote(self, text: str) -> None:
        """What the agent shows the person, line for line: in a box, or marked with `>` where none fits.

        A link is never broken: half of it opens nothing.
        """
        text = self._said(text)
        fits = max(map(len, text.splitlines())) <= self._console.width - len("│  │")
        if self._console.is_terminal and fits:
            words = Text(text, style="bold", overflow="fold")
            self._print(Panel(words, box=box.ROUNDED, border_style="green", width=self._console.width))
            return
        for line in text.splitlines():
            self._console.print(Text(f"> {line}"), soft_wrap=True)

    def _field(self, name: str, value: object) -> None:
        words = Text(self._said(json.dumps(value, ensure_ascii=False)), overflow="fold")
        JSONHighlighter().highlight(words)
        self._print(self._pair(Text(f"  {name}:", style="dim"), words))

    def _pair(self, head: Text, body: Text) -> Table:
        """Two columns; what is long in the second is broken there."""
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(head, body)
        return grid

    def _print(self, what: Text | Table | Panel) -> None:
        self._console.print(what)
