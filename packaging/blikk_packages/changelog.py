"""The changelog's top section: what a release says of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

from blikk_packages.product import ROOT

UNRELEASED = "Unreleased"
_SECTION = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>.+))?$", re.MULTILINE)


@dataclass(frozen=True)
class Section:
    """One version's section; `date` is `Unreleased` until it is cut."""

    version: str
    date: str
    body: str


def top_section(text: str) -> Section:
    """The first section.

    Raises:
        ValueError: there is none.
    """
    first = _SECTION.search(text)
    if first is None:
        raise ValueError("CHANGELOG.md has no section")
    following = _SECTION.search(text, first.end())
    body = text[first.end() : following.start() if following else len(text)]
    return Section(first["version"], first["date"] or UNRELEASED, body.strip())


def problems(text: str, version: str, *, publishing: bool) -> list[str]:
    """What keeps the changelog from being this version's."""
    section = top_section(text)
    found: list[str] = []
    if section.version != version:
        found.append(f"CHANGELOG.md's top section is {section.version}, and the version is {version}")
    if not re.search(r"^- ", section.body, re.MULTILINE):
        found.append("CHANGELOG.md's top section lists nothing")
    if section.date != UNRELEASED and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", section.date):
        found.append("CHANGELOG.md's top section has no date like 2026-01-31")
    if publishing and section.date == UNRELEASED:
        found.append("CHANGELOG.md's top section is still unreleased")
    return found


def read_changelog() -> str:
    """The file."""
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
