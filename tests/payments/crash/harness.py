"""Kills a paying process at line after line, restarts it, and asks the oracle. Run as a module, in a process of its own.

It forks, so it must have no threads; the process that runs the tests may have some. Takes a plan as JSON on the command
line and answers with a report as JSON.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from tests.payments.crash import bank
from tests.payments.crash.bank import MADE, Entry, entries
from tests.payments.crash.calls import Folder, Story, first_life, last_life, next_life, prepare
from tests.payments.crash.children import in_child, warm
from tests.payments.crash.lines import Line
from tests.payments.crash.oracle import problems
from tests.payments.mutants import MUTANTS, mutated

BANK = Path(bank.__file__)
MEMORY = Path("/dev/shm")
"""A SIGKILL is no power cut: what a process has written survives it in memory as it does on a disk."""


@dataclass(frozen=True)
class Plan:
    """What to do: one story, at which lines, and which share of them.

    `every`: 3 kills at each third line; and where `new_to` names stories, also when first at a line that they never come to.
    `crashed_at`: the lines of the first call after which the recovery is interrupted too; none: only the first call is.
    `overruled`: of the story of a process that is stopped and goes on, whether the operator is kept from a wrong moment.
    """

    story: Story
    every: int = 1
    new_to: tuple[Story, ...] = ()
    crashed_at: tuple[int, ...] = ()
    part: int = 0
    parts: int = 1
    control_url: str = ""
    mutant: str = ""
    stop_at_first: bool = False
    overruled: bool = False


@dataclass(frozen=True)
class Point:
    """One crash, or a pair of them, and how it ended. `left` tells apart what the first crash can leave behind."""

    first: int
    next: int
    ended: str
    left: str
    problems: list[str]
    survived: bool = False


@dataclass
class Report:
    """What was found. `lines` counts those of the first call, `recovery_lines` those of all recoveries."""

    lines: int = 0
    recovery_lines: int = 0
    points: list[Point] = field(default_factory=list[Point])


class Harness:
    """One plan at work in one folder."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._plan = plan
        self._story = plan.story
        self._folder = folder
        self._told: list[tuple[Point, Folder, dict[str, Any]]] = []

    def run(self) -> Report:
        """Warm up, kill and restart, judge."""
        for number, story in enumerate((self._story, *self._plan.new_to)):
            # Whoever forks later must have no threads now.
            self._rehearse(replace(story, threads=False), f"rehearsal {number}")
        warm()
        report = Report(lines=len(self._lines_of(self._story)))
        work = self._pairs(report) if self._plan.crashed_at else self._singles()
        for point, folder, said in work:
            judged = point
            if not self._story.real_channel:
                judged = self._judged(point, folder, said, entries(folder.record))
                shutil.rmtree(folder.path)
            else:
                self._told.append((point, folder, said))
            report.points.append(judged)
            if judged.problems and self._plan.stop_at_first:
                break
        if self._story.real_channel:
            record = sandbox_record(self._plan.control_url)
            report.points = [self._judged(*told, record) for told in self._told]
        return report

    def _singles(self) -> Iterator[tuple[Point, Folder, dict[str, Any]]]:
        for number in self._share(self._chosen()):
            folder = self._fresh(f"{number}")
            killed = self._first(folder, number)
            left = self._left(folder)
            yield self._told_last(folder, number, 0, left, survived=not killed)

    def _pairs(self, report: Report) -> Iterator[tuple[Point, Folder, dict[str, Any]]]:
        """For each of the first crashes, one at the lines of the recovery from exactly what that one left."""
        pairs: list[tuple[int, int]] = []
        crashed: dict[int, Folder] = {}
        seen: set[Line] = set()
        for first in self._plan.crashed_at:
            crashed[first] = self._fresh(f"after {first}")
            assert self._first(crashed[first], first)
            copy = self._copy(crashed[first], f"listed {first}")
            lines = in_child(lambda at=copy: next_life(self._story, at), BANK, listed=True).lines
            report.recovery_lines += len(lines)
            for number, line in enumerate(lines, 1):
                if number % self._plan.every == 0 or line not in seen:
                    pairs.append((first, number))
                seen.add(line)
        for first, number in self._share(pairs):
            folder = self._copy(crashed[first], f"after {first} at {number}")
            left = self._left(folder)
            ended = in_child(lambda at=folder: next_life(self._story, at), BANK, kill_at=number)
            assert ended.killed, f"the recovery never came to its line {number}"
            yield self._told_last(folder, first, number, left)

    def _chosen(self) -> list[int]:
        """The lines of the first call at which to kill, in an order that soon has been everywhere."""
        known = {line for story in self._plan.new_to for line in self._lines_of(story)}
        chosen: list[int] = []
        for number, line in enumerate(self._lines_of(self._story), 1):
            if number % self._plan.every == 0 or (self._plan.new_to and line not in known):
                chosen.append(number)
            known.add(line)
        return sorted(chosen, key=lambda number: number * 0.618034 % 1)

    def _share(self, everything: Sequence[Any]) -> Sequence[Any]:
        return everything[self._plan.part :: self._plan.parts]

    def _lines_of(self, story: Story) -> list[Line]:
        folder = self._fresh("counted", story)
        lines = in_child(lambda: first_life(story, folder), BANK, listed=True).lines
        shutil.rmtree(folder.path)
        return lines

    def _first(self, folder: Folder, number: int) -> bool:
        """The interrupted call; whether it was interrupted."""
        killed = in_child(lambda: first_life(self._story, folder), BANK, kill_at=number).killed
        # How many pieces an answer comes in, and what threads do, is not the same every time.
        assert killed or self._story.real_channel or self._story.threads
        return killed

    def _told_last(
        self, folder: Folder, first: int, number: int, left: str, *, survived: bool = False
    ) -> tuple[Point, Folder, dict[str, Any]]:
        if self._story.starts_threads or self._story.real_channel:
            said = in_child(lambda: last_life(self._story, folder)).said
        else:
            said = last_life(self._story, folder)
        ended = said["record"][0] if said["record"] else "forgotten"
        return Point(first, number, ended, left, [], survived), folder, said

    def _judged(self, point: Point, folder: Folder, said: dict[str, Any], record: list[Entry]) -> Point:
        left = json.dumps([point.left, said["first_life"]])
        return replace(point, left=left, problems=problems(self._story, folder, said, record))

    def _left(self, folder: Folder) -> str:
        """What a crash has left, as far as can be told without opening the ledger."""
        sizes = [path.stat().st_size for path in (folder.ledger, Path(f"{folder.ledger}-wal")) if path.exists()]
        return json.dumps([sizes, [entry.event for entry in entries(folder.record)]])

    def _rehearse(self, story: Story, name: str) -> None:
        folder = self._fresh(name, story)
        for life in (first_life, next_life, last_life):
            rehearse(partial(life, story, folder), story)
        shutil.rmtree(folder.path)

    def _fresh(self, name: str, story: Story | None = None) -> Folder:
        story = story or self._story
        folder = Folder.fresh(self._folder / name, f"{self._plan.part}.{name}", story)
        if story.equal_before:
            prepare(story, folder)
        return folder

    def _copy(self, folder: Folder, name: str) -> Folder:
        shutil.copytree(folder.path, self._folder / name)
        return replace(folder, path=self._folder / name)


def rehearse(work: Callable[[], dict[str, Any]], story: Story) -> None:
    """Do it once, so that whatever is imported, or remembered, on first use is so before the first fork."""
    if story.server:
        from blikk_payments.ledger.postgres import engine

        assert engine
    if story.starts_threads:
        in_child(work)
    else:
        work()


def sandbox_record(control_url: str) -> list[Entry]:
    """The sandbox's own record, in our words."""
    with urllib.request.urlopen(f"{control_url}/record") as answer:
        received = json.load(answer)["received"]
    return [Entry(MADE, one["body"]["creditor"]["name"], one["payment_id"]) for one in received if one["payment_id"]]


def plan_from(text: str) -> Plan:
    """The plan that `asdict` and JSON made."""
    given: dict[str, Any] = json.loads(text)
    given["story"] = _story_from(given["story"])
    given["new_to"] = tuple(_story_from(one) for one in given["new_to"])
    given["crashed_at"] = tuple(given["crashed_at"])
    return Plan(**given)


def _story_from(given: dict[str, Any]) -> Story:
    given["answers"] = tuple(given["answers"])
    return Story(**given)


def main(work: Callable[[Plan, Path], Report]) -> None:
    """Do what the plan on the command line says."""
    logging.disable(logging.CRITICAL)
    plan = plan_from(sys.argv[1])
    memory = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory, prefix="blikk-crash-") as folder, mutated(MUTANTS.get(plan.mutant)):
        report = work(plan, Path(folder))
    sys.stdout.write(json.dumps(asdict(report)))


if __name__ == "__main__":
    main(lambda plan, folder: Harness(plan, folder).run())
