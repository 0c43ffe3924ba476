"""SECURITY.md names tests for its promises: they have to exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_security_page_names_exists() -> None:
    """Ours: a threat without a test that shows its answer is not answered."""
    named = set(re.findall(r"`(tests/[a-z_/]+\.py)`", (ROOT / "SECURITY.md").read_text()))
    assert len(named) > 15
    assert {name for name in named if not (ROOT / name).is_file()} == set()
