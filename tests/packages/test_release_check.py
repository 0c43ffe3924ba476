"""What a release asks for before it is made."""

from __future__ import annotations

import re
from typing import Any

import pytest

from blikk_mcp import __version__
from blikk_packages.changelog import problems, read_changelog, top_section
from blikk_packages.distribution import StepFailed
from blikk_packages.inventory import check_bill, is_taken, without_paths
from blikk_packages.product import ROOT

CUT = "# Changelog\n\n## [1.2.3] - 2026-12-01\n\n### Added\n\n- One thing.\n\n## [1.2.2] - 2026-11-01\n\n- Another.\n"
UNCUT = CUT.replace("2026-12-01", "Unreleased")


def test_the_changelog_is_this_versions() -> None:
    """What is about to be released is written down."""
    assert problems(read_changelog(), __version__, publishing=False) == []


def test_a_section_ends_where_the_next_begins() -> None:
    """Keep a Changelog: one section a version, newest first."""
    section = top_section(CUT)
    assert (section.version, section.date) == ("1.2.3", "2026-12-01")
    assert "One thing" in section.body
    assert "Another" not in section.body


@pytest.mark.parametrize(
    ("text", "version", "publishing", "said"),
    [
        (CUT, "1.2.4", False, "top section is 1.2.3"),
        (UNCUT, "1.2.3", True, "still unreleased"),
        (CUT.replace("- One thing.", ""), "1.2.3", False, "lists nothing"),
        (CUT.replace("2026-12-01", "soon"), "1.2.3", False, "no date"),
    ],
)
def test_a_changelog_that_is_not_ready_is_noticed(text: str, version: str, publishing: bool, said: str) -> None:
    """Another version on top, no date on the day, nothing listed."""
    assert said in "; ".join(problems(text, version, publishing=publishing))


@pytest.mark.parametrize("text", [CUT, UNCUT])
def test_a_changelog_that_is_ready_passes(text: str) -> None:
    """The check can pass; before the day a date is not asked for."""
    assert problems(text, "1.2.3", publishing=False) == []


@pytest.mark.parametrize("licence", ["MIT", "BSD License", "Apache-2.0 OR BSD-3-Clause", "LGPLv2+", "PSF-2.0"])
def test_a_licence_that_lets_others_run_the_program_is_taken(licence: str) -> None:
    """Python-stdnum's LGPL among them, since it is a library of its own."""
    assert is_taken(licence)


@pytest.mark.parametrize("licence", ["", "AGPL-3.0-only", "GNU Affero General Public License v3", "Proprietary"])
def test_a_licence_that_does_not_is_not(licence: str) -> None:
    """Nor is one that is not told."""
    assert not is_taken(licence)


def test_a_bill_of_materials_that_leaves_something_out_is_refused() -> None:
    """CycloneDX: components by name."""
    bill: dict[str, Any] = {"bomFormat": "CycloneDX", "components": [{"name": "httpx"}]}
    check_bill(bill, {"httpx"})
    with pytest.raises(StepFailed, match="mcp"):
        check_bill(bill, {"httpx", "mcp"})
    with pytest.raises(StepFailed, match="CycloneDX"):
        check_bill({"components": []}, set())


def test_a_bill_of_materials_names_no_file_of_the_machine_it_was_made_on() -> None:
    """No path of anybody's machine leaves it."""
    ours = {"name": "blikk-mcp", "externalReferences": [{"url": "file:///somewhere/x.whl", "type": "distribution"}]}
    theirs = {"name": "httpx", "externalReferences": [{"url": "https://example.org", "type": "website"}]}
    bill = without_paths({"components": [ours, theirs]})
    assert "file:" not in str(bill)
    assert bill["components"][1]["externalReferences"]


def test_make_has_the_check() -> None:
    """docs/releasing.md: `make release-check` before a tag."""
    assert re.search(r"^release-check:.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
