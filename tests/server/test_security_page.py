"""SECURITY.md names tests for its promises: they have to exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_security_page_names_exists() -> None:
    """A threat without a test that shows its answer is not answered."""
    named = set(re.findall(r"`(tests/[a-z_/]+\.py)`", (ROOT / "SECURITY.md").read_text()))
    assert len(named) > 15
    assert {name for name in named if not (ROOT / name).is_file()} == set()


def test_every_threat_names_its_tests_and_its_place_in_the_lists_of_others() -> None:
    """A table, rows linked to OWASP's lists and to MCP's own security practices."""
    text = (ROOT / "SECURITY.md").read_text()
    table = text.partition("| threat |")[2].partition("\n\n")[0]
    rows = table.splitlines()[2:]
    assert len(rows) > 15
    assert [row for row in rows if "`tests/" not in row and "`Makefile`" not in row] == []
    assert [row for row in rows if not re.search(r"\[(MCP|ASI)\d\d\]\[|\[session hijacking\]\[", row)] == []
    assert set(re.findall(r"\]\[([a-z-]+)\]", text)) <= set(re.findall(r"^\[([a-z-]+)\]: https://", text, re.M))
