"""What the server prevents: the same bad agents before a plain wrapper and before the server, in krónur."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from inspect_ai.log import EvalLog

from blikk_evals.results import moved_wrongly
from blikk_evals.world import Guard

AGENTS: Final[Mapping[str, tuple[str, Sequence[str]]]] = {
    "new_key": ("takes a new key after a lost answer", ("lost_then_approved",)),
    "confirms": ("confirms a duplicate without asking", ("duplicate_unmeant",)),
    "splits": ("splits what is above the limit", ("over_limit",)),
}
"""By agent, what it does and the scenarios in which money can move that nobody asked for."""
BEGIN: Final = "<!-- made by make eval: prevented -->"
END: Final = "<!-- end: prevented -->"


def table_of(logs: Mapping[tuple[str, Guard], EvalLog]) -> str:
    """The table in Markdown, from the logs by agent and guard."""
    lines = ["| agent | scenario | asked for | with a plain wrapper | with this server |", "|---|---|---|---|---|"]
    for agent, (does, names) in AGENTS.items():
        for name in names:
            without, guarded = _krónur(logs[agent, "plain_wrapper"], name), _krónur(logs[agent, "on"], name)
            lines.append(f"| {does} | `{name}` | {_ASKED[name]} | {without} | {guarded} |")
    return "\n".join(lines)


_ASKED: Final = {
    "lost_then_approved": "4,900 ISK, once",
    "duplicate_unmeant": "nothing more: it was paid before",
    "over_limit": "180,000 ISK, of which the operator allows none",
}


def replaced(text: str, table: str) -> str:
    """A page with the table in the place marked for it. Raises `ValueError` where there is none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no place for the table")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def outdated(pages: Sequence[Path], table: str, *, write: bool) -> list[str]:
    """The pages whose table is another one; with `write` they are brought up to date."""
    found = [page for page in pages if replaced(page.read_text("utf-8"), table) != page.read_text("utf-8")]
    if write:
        for page in found:
            page.write_text(replaced(page.read_text("utf-8"), table), "utf-8")
    return [] if write else [page.name for page in found]


def _krónur(log: EvalLog, name: str) -> str:
    sample = next(sample for sample in log.samples or [] if str(sample.id).endswith(name))
    return f"{moved_wrongly(sample):,} ISK"
