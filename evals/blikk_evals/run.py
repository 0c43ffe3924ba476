"""`make eval`: play the scenarios, show the matrix, and fail where it is not the expected one."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from inspect_ai import Task
from inspect_ai import eval as run_eval  # pyright: ignore[reportUnknownVariableType] - optional packages in its signature
from inspect_ai.log import EvalLog
from inspect_ai.model import get_model
from rich.console import Console

from blikk_evals import picture, prevented, registry
from blikk_evals.results import Expected, differences, load_expected, rows_of, to_play
from blikk_evals.scenarios import Scenario
from blikk_evals.scripted import AGENTS
from blikk_evals.task import choose, make_task
from blikk_evals.world import PAYMENT_TOOLS, Guard

FOLDER: Final = Path(__file__).resolve().parents[1]
REPORT: Final = FOLDER / "report"
PAGES: Final = (FOLDER / "README.md", FOLDER.parent / "README.md")
AT_ONCE: Final = 2
"""Tasks that run at the same time, and conversations in each: as many as two cores take."""


def main() -> int:
    """Run it; 0 if all is as expected."""
    parser = argparse.ArgumentParser(prog="python -m blikk_evals.run", description=__doc__)
    parser.add_argument(
        "--model", default="", help="an Inspect model, such as anthropic/…; without it the scripted agents play"
    )
    parser.add_argument("--epochs", type=int, default=3, help="with --model: how often every scenario is played")
    parser.add_argument("--names", default="", help="only these scenarios, by id or number, with commas")
    parser.add_argument("--agents", default="", help="only these scripted agents, with commas")
    parser.add_argument(
        "--all", action="store_true", help="every agent plays every scenario, not only those it must fail and two more"
    )
    parser.add_argument("--write", action="store_true", help="bring the table in the README files up to date")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that the sandboxes end, too
    started = time.monotonic()
    assert registry.SCORERS  # registers models and scorers with Inspect
    console = Console(width=None if sys.stdout.isatty() else picture.WIDTH)
    scenarios = choose(arguments.names)
    if arguments.model:
        found = _with_model(arguments.model, scenarios, arguments.epochs, console)
    else:
        agents = arguments.agents.split(",") if arguments.agents else list(AGENTS)
        found = _with_scripts(agents, scenarios, console, arguments)
    for line in found:
        console.print(f"✗ {line}", style="red", markup=False, highlight=False)
    verdict = f"{len(found)} not as expected" if found else "All as expected"
    console.print(
        f"{verdict}, {time.monotonic() - started:.0f} s. The logs and the picture are in evals/{REPORT.name}/."
    )
    return 1 if found else 0


def play(tasks: Sequence[Task], at_once: int = AT_ONCE) -> list[EvalLog]:
    """Run tasks through Inspect, quietly; the logs in the order of the tasks."""
    return run_eval(
        list(tasks),
        log_dir=str(REPORT / "logs"),
        display="none",
        max_tasks=at_once,
        max_samples=at_once,
        fail_on_error=False,
        log_level="error",
        log_realtime=False,
        log_model_api=False,
        ctl_server=False,
    )


def _with_scripts(
    agents: Sequence[str], scenarios: Sequence[Scenario], console: Console, arguments: argparse.Namespace
) -> list[str]:
    expected = load_expected(FOLDER / "expected.toml")
    by_id = {scenario.id: scenario for scenario in scenarios}
    complete = not arguments.names and not arguments.agents
    if not complete:
        expected = {
            agent: {name: marks for name, marks in row.items() if name in by_id}
            for agent, row in expected.items()
            if agent in agents
        }
    tasks: dict[tuple[str, Guard], Task] = {}
    for agent in agents:
        chosen = to_play(agent, expected, by_id, all_of_them=arguments.all)
        tasks[agent, AGENTS[agent].guard] = _scripted(agent, [by_id[name] for name in chosen], AGENTS[agent].guard)
    if complete:
        for agent, (_, names) in prevented.AGENTS.items():
            tasks[agent, "plain_wrapper"] = _scripted(agent, [by_id[name] for name in names], "plain_wrapper")
    logs = dict(zip(tasks, play(list(tasks.values())), strict=True))
    matrix = {agent: rows_of(log) for (agent, guard), log in logs.items() if guard != "plain_wrapper"}
    table = picture.draw(matrix, expected, [(scenario.number, scenario.id) for scenario in scenarios])
    console.print(table)
    picture.save([table], REPORT)
    found = differences(matrix, expected)
    if complete:
        markdown = prevented.table_of(logs)
        console.print(f"\nKrónur that moved and were nobody's due:\n{markdown}\n", markup=False, highlight=False)
        outdated = prevented.outdated(PAGES, markdown, write=arguments.write)
        found += [
            f"the table of what the server prevents is not current in {page}: make eval WRITE=1" for page in outdated
        ]
    return found


def _scripted(agent: str, scenarios: list[Scenario], guard: Guard) -> Task:
    name = agent if guard == "on" else f"{agent} {guard}".replace("_", "-")
    return make_task(scenarios, name=name, model=get_model(f"scripted/{agent}"), guard=guard)


def _with_model(model: str, scenarios: list[Scenario], epochs: int, console: Console) -> list[str]:
    (log,) = play([make_task(scenarios, name="good-part", model=get_model(model), epochs=epochs)], at_once=2 * AT_ONCE)
    if log.error is not None:
        return [log.error.message]
    row = rows_of(log)
    table = picture.summary(model, row, usage_of(log))
    console.print(table)
    picture.save([table], REPORT)
    matrix, expected = {model: row}, Expected()
    return differences(matrix, expected)


def usage_of(log: EvalLog) -> dict[str, float]:
    """What a payment cost: tokens and calls, by sample and all in all."""
    samples = log.samples or []
    used = [usage for sample in samples for usage in sample.model_usage.values()]
    calls = sum(
        call.function in PAYMENT_TOOLS
        for sample in samples
        for message in sample.messages
        if message.role == "assistant"
        for call in message.tool_calls or []
    )
    count = max(len(samples), 1)
    tokens = sum(usage.total_tokens for usage in used)
    return {"tokens a payment": tokens / count, "calls a payment": calls / count, "tokens in all": tokens}


if __name__ == "__main__":
    sys.exit(main())
