"""What clients and models see, compared between two releases."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blikk_mcp import __version__
from blikk_mcp.settings.table import NAMES
from blikk_packages.product import as_json
from blikk_packages.surface import FOLDER, compare, current, draft, last_release

Edit = Callable[[dict[str, Any]], object]


def changed(edit: Edit) -> list[str]:
    """What is said of this source's surface after an edit."""
    after: dict[str, Any] = copy.deepcopy(dict(current()))
    edit(after)
    return [str(change) for change in compare(current(), after)]


def _argument(surface: dict[str, Any], name: str) -> dict[str, Any]:
    return surface["tools"]["create_payment"]["arguments"][name]


def test_the_surface_is_all_that_there_is() -> None:
    """Every tool, every setting, every revision."""
    surface = current()
    assert set(surface["tools"]) == {"create_payment", "get_payment_status", "await_payment", "list_payments"}
    assert tuple(surface["settings"]) == NAMES
    assert surface["revisions"] == ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]


def test_nothing_is_said_where_nothing_changed() -> None:
    """The comparison can be empty."""
    assert changed(lambda surface: None) == []


BREAKS: dict[str, Edit] = {
    "tool `list_payments`: removed": lambda surface: surface["tools"].pop("list_payments"),
    "setting `BLIKK_LANGUAGE`: removed": lambda surface: surface["settings"].pop("BLIKK_LANGUAGE"),
    "setting `BLIKK_MAX_AMOUNT_ISK`: default 100000 is now 1": lambda surface: surface["settings"].update(
        BLIKK_MAX_AMOUNT_ISK="1"
    ),
    "tool `create_payment`, argument `purpose`: required False is now True": lambda surface: _argument(
        surface, "purpose"
    ).update(required=True),
    "tool `create_payment`, argument `amount`: type integer is now string": lambda surface: _argument(
        surface, "amount"
    ).update(type="string"),
    "tool `create_payment`, argument `new`: added, required": lambda surface: surface["tools"]["create_payment"][
        "arguments"
    ].update(new={"type": "string", "required": True}),
    "tool `create_payment`, result's `outcome`: removed": lambda surface: surface["tools"]["create_payment"][
        "result"
    ].pop("outcome"),
    "revision 2024-11-05: no longer spoken": lambda surface: surface["revisions"].remove("2024-11-05"),
}


@pytest.mark.parametrize("said", BREAKS)
def test_what_breaks_is_said_to_break(said: str) -> None:
    """What worked with the last release may not work with this one."""
    assert changed(BREAKS[said]) == [f"**breaks** {said}"]


QUIET: dict[str, Edit] = {
    "tool `new`: added": lambda surface: surface["tools"].update(new=surface["tools"]["list_payments"]),
    "setting `BLIKK_NEW`: added": lambda surface: surface["settings"].update(BLIKK_NEW=""),
    "tool `create_payment`: another description": lambda surface: surface["tools"]["create_payment"].update(
        description="Pay."
    ),
    "tool `create_payment`, argument `purpose`: another description": lambda surface: _argument(
        surface, "purpose"
    ).update(description="Why."),
    "tool `create_payment`, result's `new`: added": lambda surface: surface["tools"]["create_payment"]["result"].update(
        new={"type": "string", "required": True}
    ),
    "server: says something else of itself (`instructions`)": lambda surface: surface.update(instructions="Pay."),
}


@pytest.mark.parametrize("said", QUIET)
def test_what_breaks_nothing_is_said_all_the_same(said: str) -> None:
    """A model acts on words; a change of them is a change."""
    assert changed(QUIET[said]) == [said]


def test_the_last_release_is_the_newest_one_before_this(tmp_path: Path) -> None:
    """By number, not by letter, and never this one itself."""
    for version in ("0.2.0", "0.9.0", "0.10.0", "0.11.0"):
        (tmp_path / f"{version}.json").write_text(as_json({"of": version}), encoding="utf-8")
    assert last_release("0.11.0", tmp_path) == ("0.10.0", {"of": "0.10.0"})
    assert last_release("0.2.0", tmp_path) is None


def test_the_changelogs_draft_compares_with_a_stored_release() -> None:
    """One file a release, which this version can still be compared with."""
    stored = sorted(FOLDER.glob("*.json"))
    assert stored
    for path in stored:
        compare(json.loads(path.read_text(encoding="utf-8")), current())
    assert draft(__version__).startswith("### Surface, since 0.")
