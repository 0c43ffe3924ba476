"""The checks themselves: nothing passes because it was not looked at."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from docs.audit import judge

ROOT = Path(__file__).parents[1]
CLEAN: dict[str, Any] = {"name": "httpx", "version": "0.28.1", "vulns": []}
VULNERABLE: dict[str, Any] = {
    "name": "httpx",
    "version": "0.1",
    "vulns": [{"id": "X-1", "description": "the read timed out"}],
}


def test_a_tool_that_is_missing_is_said_in_one_place() -> None:
    """A bare skip passes in CI: `tests.missing.unavailable` fails there."""
    bare = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("*.py")
        if "node_modules" not in path.parts
        and re.search(r"pytest\.(skip|xfail)\(|mark\.(skip|xfail)", path.read_text())
    }
    assert bare - {"tests/missing.py", "tests/test_gates.py"} == set()


def test_every_test_has_a_time_limit(request: pytest.FixtureRequest) -> None:
    """What hangs fails by its name, and does not hold up whatever waits for the suite."""
    assert float(request.config.getini("timeout")) > 0
    own = {item.nodeid: item.get_closest_marker("timeout") for item in request.session.items}
    assert [name for name, marker in own.items() if marker and not (marker.args and marker.args[0] > 0)] == []


def test_the_short_suites_name_tests_that_there_are() -> None:
    """A file that was moved would end `make quick` and `make portable` before their first test."""
    quick = re.search(r"^QUICK := ((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert quick
    named = [*quick[1].replace("\\\n", " ").split(), *(ROOT / "tests" / "portable.txt").read_text().split()]
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_an_advisory_fails_the_audit_whatever_its_words_say() -> None:
    """An advisory may speak of time-outs, which is no sign that nobody could be asked."""
    assert judge(json.dumps({"dependencies": [CLEAN, VULNERABLE]}), "") == 1


def test_no_advisory_passes_the_audit() -> None:
    """pip-audit's own report format: `dependencies`, each with its `vulns`."""
    assert judge(json.dumps({"dependencies": [CLEAN]}), "") == 0


def test_an_audit_that_could_not_ask_says_that_nothing_was_checked() -> None:
    """A closed network is no vulnerability."""
    assert judge("", "ConnectionError: no route") == 0


def test_ci_runs_every_gate() -> None:
    """The README's test command, the rest, and the checks; and it says where no newer Python was found."""
    script = (ROOT / ".ci" / "run").read_text()
    assert all(f"\nmake {target}\n" in script for target in ("test", "test-all", "check"))
    assert "no newer Python was found" in script
