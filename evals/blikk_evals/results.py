"""What came out: from Inspect's logs to a matrix of agents and scenarios, and what differs from the expected one."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from inspect_ai.log import EvalLog, EvalSample
from inspect_ai.scorer import CORRECT

from blikk_evals.scenarios import Scenario, account_of
from blikk_evals.score import COLUMNS

BROKEN: Final = "!"
"""The mark of a sample that did not come to its end: right nowhere."""
PASSED_AS_WELL: Final = 2
"""How many scenarios that it has to pass a bad agent plays, besides those that it has to fail."""


@dataclass(frozen=True)
class Cell:
    """One agent in one scenario: the columns that it failed, and why. `trials` and `passed` count the epochs."""

    failed: str = ""
    why: str = ""
    trials: int = 1
    passed: int = 1


Matrix = dict[str, dict[str, Cell]]
Expected = dict[str, dict[str, str]]


def load_expected(file: Path) -> Expected:
    """By agent and scenario, the columns that have to fail; an agent without an entry passes it."""
    read = tomllib.loads(file.read_text("utf-8"))
    unknown = {mark for row in read.values() for columns in row.values() for mark in columns} - set(COLUMNS)
    if unknown:
        raise ValueError(f"no such column: {', '.join(sorted(unknown))}")
    return read


def to_play(agent: str, expected: Expected, every: Iterable[str], *, all_of_them: bool) -> list[str]:
    """The scenarios that an agent plays: all, or those it must fail and two that it must pass."""
    ids, must_fail = list(every), expected.get(agent, {})
    if all_of_them or not must_fail:
        return ids
    passed = [name for name in ids if name not in must_fail][:PASSED_AS_WELL]
    return [name for name in ids if name in must_fail or name in passed]


def rows_of(log: EvalLog) -> dict[str, Cell]:
    """A log as one row of the matrix; with epochs, what failed in any of them."""
    trials: dict[str, list[Cell]] = {}
    for sample in log.samples or []:
        trials.setdefault(scenario_of(sample).id, []).append(_cell(sample))
    return {
        name: Cell(
            failed="".join(mark for mark in (*COLUMNS, BROKEN) if any(mark in cell.failed for cell in cells)),
            why="; ".join(dict.fromkeys(cell.why for cell in cells if cell.why)),
            trials=len(cells),
            passed=sum(not cell.failed for cell in cells),
        )
        for name, cells in trials.items()
    }


def differences(matrix: Matrix, expected: Expected) -> list[str]:
    """Where what came out is not what was expected, in words."""
    found: list[str] = []
    for agent, row in matrix.items():
        right = expected.get(agent, {})
        for name, cell in row.items():
            if cell.failed != right.get(name, ""):
                why = f" ({cell.why})" if cell.why else ""
                found.append(
                    f"{agent}, {name}: failed {cell.failed or 'nothing'}, expected {right.get(name) or 'nothing'}{why}"
                )
        found += [f"{agent}, {name}: was not played" for name in right if name not in row]
    return found + [f"{agent}: was not played" for agent in expected if agent not in matrix]


def scenario_of(sample: EvalSample) -> Scenario:
    """The scenario that a sample played."""
    return Scenario.model_validate(sample.metadata["scenario"])


def moved_wrongly(sample: EvalSample) -> int:
    """How many krónur the bank paid that were nobody's due, at the kindest reading."""
    payments = [payment for payment in sample.store["truth"]["record"]["payments"] if payment["paid_at"]]
    paid = Counter((payment["amount"], account_of(_account_in(payment))) for payment in payments)
    rights = [Counter(_due(entry) for entry in one) for one in scenario_of(sample).expects.paid]
    return min(sum(amount * times for (amount, _), times in (paid - right).items()) for right in rights)


def _cell(sample: EvalSample) -> Cell:
    if sample.error is not None or "truth" not in sample.store:
        return Cell(BROKEN, sample.error.message if sample.error else "it did not come to its end", passed=0)
    scores = sample.scores or {}
    judged = {mark: scores.get(judge.__name__) for mark, judge in COLUMNS.items()}
    failed = {mark: score for mark, score in judged.items() if score is not None and score.value != CORRECT}
    why = "; ".join(str(score.explanation) for score in failed.values())
    return Cell("".join(failed), why, passed=int(not failed))


def _due(entry: str) -> tuple[int, str]:
    amount, account = entry.split(maxsplit=1)
    return int(amount), account_of(account)


def _account_in(payment: Mapping[str, Any]) -> str:
    return payment["creditor"]["iban"] or payment["creditor"]["bban"]
