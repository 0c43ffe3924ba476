"""`make eval-skill`: two bills, with the plugin's skill and without it, judged as everything else is.

The scripted agent shows that the bills tell the two apart: it follows the skill where it has it. What a skill is worth to a
model that thinks for itself is seen with `--model`.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Final

from inspect_ai import Task
from inspect_ai.model import ChatMessageSystem, ModelAPI, get_model, modelapi
from rich.console import Console

from blikk_evals import registry
from blikk_evals.results import rows_of
from blikk_evals.run import FOLDER, play
from blikk_evals.scenarios.scenario import Scenario
from blikk_evals.task import SYSTEM, make_task

SKILL: Final = FOLDER.parent / "packaging" / "plugin" / "skills" / "pay-a-bill" / "SKILL.md"
BILLS: Final = Path(__file__).parent / "bills" / "bills.toml"
SCRIPTED: Final = "bills/scripted"

EXPECTED: Final[dict[str, dict[str, str]]] = {
    "with the skill": {"bill_paid_elsewhere": "", "bill_is_a_claim": ""},
    "without it": {"bill_paid_elsewhere": "MCL", "bill_is_a_claim": "MCLW"},
}
"""Which columns the scripted agent fails: that the bills can tell. What the skill's words do, only a model shows."""


@modelapi(name="bills")
def bills() -> type[ModelAPI]:
    """The scripted agent that is handed bills."""
    from blikk_evals.scripted.bills import BillsModel

    return BillsModel


def bill_scenarios() -> list[Scenario]:
    """The two bills."""
    return [Scenario.model_validate(entry) for entry in tomllib.loads(BILLS.read_text("utf-8"))["scenario"]]


def skill_text() -> str:
    """What a host shows a model once it takes up the skill: the text without the head."""
    return SKILL.read_text("utf-8").split("---\n", 2)[2].strip()


def task(model: str, *, skilled: bool, epochs: int) -> Task:
    """Both bills, for an agent that has the skill or has it not."""
    made = make_task(
        bill_scenarios(), name="with-skill" if skilled else "without-skill", model=get_model(model), epochs=epochs
    )
    for sample in made.dataset:
        assert isinstance(sample.input, list)
        if skilled:
            sample.input[0] = ChatMessageSystem(content=f"{SYSTEM}\n\n{skill_text()}")
    return made


def main() -> int:
    """Play it; 0 if all is as expected. With a model of one's own, nothing is expected: it is shown."""
    parser = argparse.ArgumentParser(prog="python -m blikk_evals.skill", description=__doc__)
    parser.add_argument("--model", default="", help="an Inspect model, such as anthropic/…")
    parser.add_argument("--epochs", type=int, default=3, help="with --model: how often each is played")
    arguments = parser.parse_args()
    assert registry.SCORERS
    model, epochs = (arguments.model, arguments.epochs) if arguments.model else (SCRIPTED, 1)
    logs = play([task(model, skilled=skilled, epochs=epochs) for skilled in (True, False)])
    found: dict[str, dict[str, str]] = {}
    for name, log in zip(EXPECTED, logs, strict=True):
        found[name] = {scenario: cell.failed for scenario, cell in rows_of(log).items()}
    console = Console(width=None if sys.stdout.isatty() else 100)
    for name, row in found.items():
        told = ", ".join(f"{scenario} {failed or '·'}" for scenario, failed in row.items())
        console.print(f"{name}: {told}", markup=False, highlight=False)
    if arguments.model or found == EXPECTED:
        return 0
    console.print(f"✗ expected: {EXPECTED}", markup=False, highlight=False)
    return 1


if __name__ == "__main__":
    sys.exit(main())
