"""What clients and models see, in a form that two releases can be compared in, and the differences between two of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blikk_mcp.settings.door import DoorSettings
from blikk_mcp.settings.table import SETTINGS
from blikk_packages.product import HERE, ROOT, default

FOLDER = HERE / "surfaces"
ANSWERS = ROOT / "server" / "blikk_mcp" / "transports" / "answers.json"
NEWEST_HANDSHAKE = "2025-11-25"

Surface = Mapping[str, Any]
RULES = frozenset({"type", "const", "enum", "minimum", "maximum", "pattern", "required", "items", "anyOf", "format"})
"""What of an argument or a result decides which values it takes; the rest is words for a model."""


@dataclass(frozen=True, order=True)
class Change:
    """One difference. `breaks`: what worked with the earlier release may not work with this one."""

    place: str
    what: str
    breaks: bool = False

    def __str__(self) -> str:
        return f"{'**breaks** ' if self.breaks else ''}{self.place}: {self.what}"


def current(answers: Path = ANSWERS) -> Surface:
    """The surface of this source, from the answers that the front door gives."""
    stored = json.loads(answers.read_text(encoding="utf-8"))
    places: dict[str, int] = stored["answers"][DoorSettings().name]
    listed = stored["results"][places[f"tools/list {NEWEST_HANDSHAKE}"]]
    opened = stored["results"][places[f"initialize {NEWEST_HANDSHAKE}"]]
    return {
        "instructions": opened["instructions"],
        "revisions": sorted({question.split()[1] for question in places}),
        "settings": {setting.name: default(setting) or "" for setting in SETTINGS},
        "tools": {tool["name"]: _tool(tool) for tool in listed["tools"]},
    }


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": tool.get("title", ""),
        "description": tool["description"],
        "annotations": tool["annotations"],
        "arguments": _fields(tool["inputSchema"]),
        "result": _fields(tool["outputSchema"]),
    }


def _fields(schema: Mapping[str, Any]) -> dict[str, Any]:
    required = set(schema.get("required", ()))
    return {name: {**field, "required": name in required} for name, field in schema.get("properties", {}).items()}


def compare(before: Surface, after: Surface) -> list[Change]:
    """Every difference, what breaks first."""
    found = [
        *_entries("setting", before["settings"], after["settings"], _setting),
        *_entries("tool", before["tools"], after["tools"], _tool_changes),
        *(Change(f"revision {name}", "no longer spoken", breaks=True) for name in _left(before, after, "revisions")),
        *(Change(f"revision {name}", "spoken") for name in _left(after, before, "revisions")),
    ]
    if before["instructions"] != after["instructions"]:
        found.append(Change("server", "says something else of itself (`instructions`)"))
    return sorted(found, key=lambda change: (not change.breaks, change.place, change.what))


def _left(one: Surface, other: Surface, name: str) -> list[str]:
    return [item for item in one[name] if item not in other[name]]


def _entries(kind: str, before: Mapping[str, Any], after: Mapping[str, Any], inside: Any) -> Iterator[Change]:
    """What was added to a table of things, taken out of it, or changed in it."""
    for name in before.keys() - after.keys():
        yield Change(f"{kind} `{name}`", "removed", breaks=True)
    for name in after.keys() - before.keys():
        yield Change(f"{kind} `{name}`", "added")
    for name in before.keys() & after.keys():
        yield from inside(f"{kind} `{name}`", before[name], after[name])


def _setting(place: str, before: str, after: str) -> Iterator[Change]:
    if before != after:
        yield Change(place, f"default {before or 'none'} is now {after or 'none'}", breaks=True)


def _tool_changes(place: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name in ("title", "description", "annotations"):
        if before[name] != after[name]:
            yield Change(place, f"another {name}")
    yield from _field_changes(f"{place}, argument", before["arguments"], after["arguments"], given=True)
    yield from _field_changes(f"{place}, result's", before["result"], after["result"], given=False)


def _field_changes(place: str, before: Mapping[str, Any], after: Mapping[str, Any], *, given: bool) -> Iterator[Change]:
    """What callers give may not be asked more of, and what they are given may not become less."""
    for name in before.keys() - after.keys():
        yield Change(f"{place} `{name}`", "removed", breaks=True)
    for name in after.keys() - before.keys():
        required = given and after[name]["required"]
        yield Change(f"{place} `{name}`", "added, required" if required else "added", breaks=required)
    for name in before.keys() & after.keys():
        old, new = before[name], after[name]
        ruled = [rule for rule in sorted(RULES) if old.get(rule) != new.get(rule)]
        for rule in ruled:
            yield Change(f"{place} `{name}`", f"{rule} {old.get(rule)} is now {new.get(rule)}", breaks=True)
        if not ruled and old != new:
            yield Change(f"{place} `{name}`", "another description")


def last_release(before: str, folder: Path = FOLDER) -> tuple[str, Surface] | None:
    """The newest stored surface of a version older than this one."""
    stored = {_numbers(path.stem): path for path in folder.glob("*.json")}
    older = [numbers for numbers in stored if numbers < _numbers(before)]
    if not older:
        return None
    path = stored[max(older)]
    return path.stem, json.loads(path.read_text(encoding="utf-8"))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def changes_of(version: str) -> list[Change]:
    """What has changed since the last release; nothing if there is none."""
    last = last_release(version)
    return compare(last[1], current()) if last else []


def draft(version: str) -> str:
    """The changelog's part on the surface: every difference to the last release, as Markdown."""
    last = last_release(version)
    if last is None:
        return f"### Surface\n\nThere is no earlier release to compare {version} with.\n"
    lines = [f"- {change}" for change in changes_of(version)] or ["- nothing that a client or a model sees has changed"]
    return f"### Surface, since {last[0]}\n\n" + "\n".join(lines) + "\n"
