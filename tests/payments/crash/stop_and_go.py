"""Stops a paying process at line after line, lets others act meanwhile, and lets it go on. Run as `harness` is."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from blikk_payments.channel.deadline import Deadline
from tests.payments.crash.calls import Folder
from tests.payments.crash.children import Child, in_child, warm
from tests.payments.crash.harness import Plan, Point, Report, main, rehearse, sandbox_record
from tests.payments.crash.lines import SOURCE, Line, Lines
from tests.payments.crash.stops import Clock, afterwards, look, others, problems_of_a_stop, stopped_life


@dataclass(frozen=True)
class Between:
    """Lines of a create, by their number: the first after its claim, the last look at the clocks, and the last before
    its outcome is written, during which others would wait for the ledger.
    """

    claimed: int
    leaves: int
    ends: int


class StopAndGo:
    """The story of a stop at every line from the claim on: to the first byte, or where nobody is overruled to the answer."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._plan = plan
        self._story = plan.story
        self._folder = folder
        self._clock = Clock()

    def run(self) -> Report:
        """Warm up, stop and go on, judge."""
        rehearse(partial(stopped_life, self._story, self._fresh("rehearsal"), self._clock), self._story)
        warm()
        between = self._between()
        last = between.leaves if self._plan.overruled else between.ends
        numbers = range(between.claimed, last + 1)[:: self._plan.every]
        told = [(number, *self._told(number)) for number in numbers[self._plan.part :: self._plan.parts]]
        record = sandbox_record(self._plan.control_url)
        return Report(
            lines=last + 1 - between.claimed,
            points=[
                Point(
                    first=number,
                    next=0,
                    ended=" ".join(said["end"]["events"]),
                    left="sent" if number > between.leaves else "not sent",
                    problems=problems_of_a_stop(folder, said, record),
                )
                for number, folder, said in told
            ],
        )

    def _told(self, number: int) -> tuple[Folder, dict[str, Any]]:
        """What everybody was told when the process was stopped at this line, and went on."""
        folder = self._fresh(f"{number}")
        with closing(self._stopped(folder, number)) as child:
            meanwhile = in_child(partial(others, self._story, folder, self._clock, overruled=self._plan.overruled)).said
            child.go_on()
            went_on = child.ended().said
        end = in_child(partial(afterwards, self._story, folder, self._clock)).said
        shutil.rmtree(folder.path)
        return folder, {"meanwhile": meanwhile, "went_on": went_on, "end": end}

    def _between(self) -> Between:
        """Found by looking: at first whether others see the claim, then where the clocks are read."""
        work = partial(stopped_life, self._story, self._fresh("counted"), self._clock)
        lines = in_child(work, listed=True).lines
        looks = [number for number, line in enumerate(lines, 1) if line in _clock_lines()]
        unclaimed, claimed = 0, looks[0]
        while claimed - unclaimed > 1:
            middle = (claimed + unclaimed) // 2
            if self._is_claimed_at(middle):
                claimed = middle
            else:
                unclaimed = middle
        answered = next(n for n, (name, _) in enumerate(lines, 1) if n > looks[-1] and name.startswith("ledger/"))
        return Between(claimed, looks[-1], answered - 1)

    def _is_claimed_at(self, number: int) -> bool:
        folder = self._fresh(f"claimed at {number}")
        with closing(self._stopped(folder, number)):
            return bool(in_child(partial(look, folder, self._clock)).said["claimed"])

    def _stopped(self, folder: Folder, number: int) -> Child:
        self._clock.seconds = 0
        child = Child(partial(stopped_life, self._story, folder, self._clock), Lines(stop_at=number))
        assert child.stops(), f"the call never came to its line {number}"
        return child

    def _fresh(self, name: str) -> Folder:
        return Folder.fresh(self._folder / name, f"{self._plan.part}.{name}.{self._plan.overruled}", self._story)


def _clock_lines() -> set[Line]:
    """Where a request that is about to leave reads the clocks."""
    code = Deadline.passed.__code__
    name = str(Path(code.co_filename).relative_to(SOURCE))
    return {(name, line) for _, _, line in code.co_lines() if line}


if __name__ == "__main__":
    main(lambda plan, folder: StopAndGo(plan, folder).run())
