"""What runs on every change: on each system and each Python that the package says it is for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
JOBS: dict[str, dict[str, Any]] = WORKFLOW["jobs"]
STEPS: list[dict[str, Any]] = [step for job in JOBS.values() for step in job["steps"]]


def test_every_system_meets_every_python() -> None:
    """Windows, macOS and Linux; Python 3.11 and newer."""
    matrix = JOBS["test"]["strategy"]["matrix"]
    assert [system.partition("-")[0] for system in matrix["os"]] == ["ubuntu", "macos", "windows"]
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert JOBS["test"]["runs-on"] == "${{ matrix.os }}"


def test_a_change_is_tested_with_pinned_actions_and_no_rights() -> None:
    """GitHub's hardening guide: a tag can be moved to other code, and a pull request is anybody's code."""
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert used
    assert [name for name in used if not re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", name)] == []
    assert WORKFLOW["permissions"] == {}
    assert {tuple(job["permissions"].items()) for job in JOBS.values()} == {(("contents", "read"),)}
    assert "pull_request_target" not in WORKFLOW[True]  # YAML 1.1 reads `on` as true
    assert [step["run"] for step in STEPS if "${{" in step.get("run", "")] == []


def test_types_are_checked_as_every_system_sees_them() -> None:
    """Pyright strict for Linux, Windows and Darwin."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    types = makefile.partition("\ntypes:")[2].partition("\n\n")[0]
    assert set(re.findall(r"--pythonplatform (\w+)", types)) == {"Linux", "Windows", "Darwin"}


def test_what_runs_on_other_systems_is_there() -> None:
    """A file that was moved would be a usage error on the runners alone."""
    listed = (ROOT / "tests" / "portable.txt").read_text(encoding="utf-8").split()
    assert listed
    assert [name for name in listed if not (ROOT / name).exists()] == []
