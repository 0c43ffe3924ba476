"""The README quotes the program: what it says a reader sees is what the code says."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "AGENTS.md",
    "CONTRIBUTING.md",
    "server/README.md",
    "docs/comparison.md",
    "docs/measurements.md",
    "docs/releasing.md",
    "llms-install.md",
    "packaging/docker/README.md",
)
README = (ROOT / "README.md").read_text(encoding="utf-8")
TROUBLES = README.partition("## When something does not work")[2].partition("\n## ")[0]
FIRST_CELLS = re.findall(r"^\| (.*?) \|", TROUBLES, re.MULTILINE)


def _texts_of_the_code() -> str:
    """Every string in the source, as it is when the program runs: parts on several lines are one text."""
    texts: list[str] = []
    for path in [*(ROOT / "server").rglob("*.py"), *(ROOT / "tools").rglob("*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts += [
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
    return "\n".join(texts)


def test_every_message_that_the_readme_explains_is_one_of_the_codes() -> None:
    """A text that the program no longer says is found by nobody who searches for it."""
    quoted = {text for cell in FIRST_CELLS for text in re.findall(r'"([^"]+)"', cell)}
    codes = {text for cell in FIRST_CELLS for text in re.findall(r"`([a-z]+_[a-z_]+)`", cell)}
    assert len(quoted) >= 15
    texts = _texts_of_the_code()
    assert {text for text in quoted | codes if text not in texts} == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_link_between_the_pages_leads_somewhere(page: str) -> None:
    """A file that was moved takes its links with it."""
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)[^)]*\)", text)
    assert {target for target in targets if not ((ROOT / page).parent / target).exists()} == set()


def test_the_tables_are_what_the_code_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """A default or a meaning that is written down twice is soon written down wrongly once."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "docs"), *sys.path])
    generate = importlib.import_module("docs.generate")
    for name in ("tools", "settings"):
        table = README.partition(f"<!-- generated: {name} -->\n")[2].partition(f"\n<!-- end: {name} -->")[0]
        assert table == getattr(generate, name)(), "`make docs` writes it anew"
