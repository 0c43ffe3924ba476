"""Support: what was exercised with which client, and the page that says so.

`make interop` sets BLIKK_CLIENTS_PAGE, and the page is written at the end of a run in which everything passed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

PAGE_HEAD = """\
# Clients

What was driven against this server, offline and in an empty home, by `make interop`. It writes this page.
Each agent's program was given a model on loopback that plays a script; only Blikk was the sandbox.

| client | version | revision | exercised | result | date |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True, order=True)
class Row:
    """One line of the page."""

    client: str
    version: str
    revision: str
    exercised: str

    def line(self, today: str) -> str:
        """The line, for a test that passed."""
        return f"| {self.client} | {self.version} | {self.revision} | {self.exercised} | passed | {today} |\n"


def npm_version(folder: Path, package: str) -> str:
    """The installed version of a package from npm."""
    manifest = folder / "node_modules" / package / "package.json"
    return str(json.loads(manifest.read_text(encoding="utf-8"))["version"])


def page(rows: list[Row]) -> str:
    """The whole page; a client and revision on one line with all that was exercised."""
    together: dict[tuple[str, str, str], list[str]] = {}
    for row in sorted(set(rows)):
        together.setdefault((row.client, row.version, row.revision), []).append(row.exercised)
    today = datetime.now(UTC).date().isoformat()
    return PAGE_HEAD + "".join(Row(*key, "; ".join(done)).line(today) for key, done in together.items())
