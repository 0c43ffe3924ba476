"""Read the scenarios from their files."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import Final

from blikk_evals.scenarios.scenario import Scenario

OWN_FOLDER: Final = Path(__file__).parent


def load_scenarios(private_folder: str = "") -> list[Scenario]:
    """All scenarios by number: the suite's own and, where a folder is named, those in its `*.toml` files.

    Raises `ValueError` for a file that is not of the form, and for a number or an id that is used twice.
    """
    folders = [OWN_FOLDER, *([Path(private_folder).expanduser()] if private_folder else [])]
    found: list[Scenario] = []
    for folder in folders:
        files = sorted(folder.glob("*.toml"))
        if not files:
            raise ValueError(f"no scenario files (*.toml) in {folder.name}")
        for file in files:
            found += [Scenario.model_validate(entry) for entry in tomllib.loads(file.read_text("utf-8"))["scenario"]]
    for values in ([str(scenario.number) for scenario in found], [scenario.id for scenario in found]):
        twice = [value for value, times in Counter(values).items() if times > 1]
        if twice:
            raise ValueError(f"used by two scenarios: {', '.join(twice)}")
    return sorted(found, key=lambda scenario: scenario.number)
