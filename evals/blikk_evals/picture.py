"""The matrix and the tables, for the terminal and as files that a browser shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from blikk_evals.results import BROKEN, Cell, Expected, Matrix

WIDTH: Final = 220
_TITLE: Final = "blikk-mcp: agents and scenarios"
_LEGEND: Final = (
    "M money  P person  C conduct  L ledger  W words  K key   · right   blank: not played   red: not as expected"
)


def draw(matrix: Matrix, expected: Expected, scenarios: Sequence[tuple[int, str]]) -> Table:
    """Scenarios down, agents across; in each cell the columns that failed."""
    table = Table(title=_TITLE, caption=_LEGEND, padding=(0, 1), show_lines=False)
    table.add_column("#", justify="right", style="dim")
    table.add_column("scenario", no_wrap=True)
    for agent in matrix:
        table.add_column(agent.replace("_", "\n"), justify="center", vertical="bottom", overflow="fold")
    for number, name in scenarios:
        cells = [_mark(row.get(name), expected.get(agent, {}).get(name, "")) for agent, row in matrix.items()]
        table.add_row(str(number), name, *cells)
    return table


def summary(model: str, row: Mapping[str, Cell], usage: Mapping[str, float]) -> Table:
    """What a model did: passed in every one of its trials or not, and what it cost."""
    table = Table(
        title=f"{model}: pass^k", caption=", ".join(f"{what}: {amount:,.1f}" for what, amount in usage.items())
    )
    for heading in ("scenario", "passed", "pass^k", "failed", "why"):
        table.add_column(heading)
    for name, cell in row.items():
        every = cell.passed == cell.trials
        table.add_row(name, f"{cell.passed}/{cell.trials}", "yes" if every else "NO", cell.failed, cell.why)
    held = sum(cell.passed == cell.trials for cell in row.values())
    table.add_section()
    table.add_row("all", "", f"{held}/{len(row)}", "", "")
    return table


def save(tables: Sequence[Table], folder: Path) -> None:
    """The tables as `matrix.svg` and `matrix.html` in this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "matrix.txt").open("w", encoding="utf-8") as file:
        console = Console(record=True, width=WIDTH, file=file)
        for table in tables:
            console.print(table)
    console.save_html(str(folder / "matrix.html"), clear=False)
    console.save_svg(str(folder / "matrix.svg"), title=_TITLE)


def _mark(cell: Cell | None, right: str) -> Text:
    if cell is None:
        return Text("")
    if cell.failed != right:
        return Text(cell.failed or "passed", style="bold white on red")
    return Text(cell.failed, style="yellow") if cell.failed and cell.failed != BROKEN else Text("·", style="green")
