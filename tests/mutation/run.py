"""Mutation testing of what nobody may get past: redaction, approval links, policy and the cleaner of foreign text.

Run: `make mutation`, for some minutes. Changes one thing after the other in these modules, runs their tests on each
change, and lists the changes that no test noticed. Exits with 1 if those are a tenth of a module's or more.

The work is done in a copy with one source root, as mutmut wants it. Arguments are modules to keep to. Hypothesis keeps
to fixed examples and no deadline, so that a change counts as noticed because of what it does, not of luck or load.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES = {
    "redaction": ("blikk_mcp/redaction/redactor.py", "tests/server/test_redaction.py"),
    "messages": ("blikk_mcp/redaction/messages.py", "tests/server/test_redaction.py"),
    "links": ("blikk_payments/channel/links.py", "tests/payments/test_links.py"),
    "policy": ("blikk_payments/policy.py", "tests/payments/test_policy.py"),
    "text": ("blikk_payments/channel/text.py", "tests/payments/test_text.py"),
}
"""By name: what is changed, and the tests that have to notice."""

NOTICED = ("killed", "timeout")
"""What mutmut says of a change that a test failed or hung on. All else, a crash or doubt too, shows nothing."""

MOST_SURVIVORS = 0.10
PROCESSES = os.cpu_count() or 1

SETTINGS = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = [{modules}]
pytest_add_cli_args_test_selection = [{tests}]
pytest_add_cli_args = ["-p", "no:xdist", "-p", "no:cacheprovider", "--hypothesis-profile=ci"]
use_git_change_detection = false
timeout_multiplier = 3.0
timeout_constant = 20.0

[tool.pytest.ini_options]
addopts = ["--import-mode=importlib"]
pythonpath = ["."]
markers = ["browser", "node"]
"""


def copied(folder: Path, names: list[str]) -> None:
    """The packages under one root, the tests, and settings for these modules."""
    for package in (*(ROOT / "server").glob("blikk_*"), *(ROOT / "tools").glob("blikk_*")):
        shutil.copytree(package, folder / "src" / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(
        ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__", "node_modules", "mutation")
    )
    chosen = [MODULES[name] for name in names]
    (folder / "pyproject.toml").write_text(
        SETTINGS.format(
            modules=", ".join(f'"src/{module}"' for module, _ in chosen),
            tests=", ".join(f'"{tests}"' for _, tests in chosen),
        )
    )


def mutmut(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One of mutmut's commands."""
    command = [sys.executable, "-m", "mutmut", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def main() -> int:
    """Prints a line a module, and the difference of every change that no test noticed."""
    names = sys.argv[1:] or list(MODULES)
    all_counts: dict[str, Counter[str]] = {}
    survivors: list[str] = []
    for name in names:
        with tempfile.TemporaryDirectory(prefix="blikk-mutation-") as place:
            folder = Path(place)
            copied(folder, [name])
            ran = mutmut(folder, "run", "--max-children", str(PROCESSES))
            listed = mutmut(folder, "results", "--all", "true").stdout
            found = re.findall(r"^\s*(\S+): (.+)$", listed, re.MULTILINE)
            if not found or any(state == "not checked" for _, state in found):
                sys.stderr.write(f"{ran.stdout[-4000:]}\n{ran.stderr[-4000:]}\n")
                return 2
            all_counts[name] = Counter(state for _, state in found)
            for mutant, state in found:
                if state not in NOTICED:
                    survivors.append(f"{mutant}: {state}\n{mutmut(folder, 'show', mutant).stdout}")
    worst = 0.0
    for survivor in survivors:
        sys.stdout.write(f"{survivor}\n")
    for name, counts in all_counts.items():
        every = counts.total()
        unnoticed = every - sum(counts[state] for state in NOTICED)
        worst = max(worst, unnoticed / every)
        sys.stdout.write(
            f"{name:10} {every:4} changes, {unnoticed:3} not noticed: {unnoticed / every:.1%} {dict(counts)}\n"
        )
    return 0 if worst < MOST_SURVIVORS else 1


if __name__ == "__main__":
    sys.exit(main())
