"""A test of the tests: each of these defects must be found by the crashes, the stops, the state machine or the races."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.payments.crash.calls import Story
from tests.payments.crash.harness import Plan
from tests.payments.crash.running import carry_out, stop_and_go
from tests.payments.lost_commits import Lost, lost_commits
from tests.payments.mutants import MUTANTS, FoundBy, mutated
from tests.payments.racing import ROOM, Raced, last_room, one_key, told
from tests.payments.steps.machine import Payments

pytestmark = pytest.mark.slow

SEARCH = settings(
    max_examples=500,
    stateful_step_count=50,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    phases=[Phase.generate],
)
SOME_STOPS = 40
ENGINES = ["sqlite", "postgres"]
RACES: dict[str, tuple[Callable[[str, Path, str], Raced], int]] = {
    "the limit is checked outside the transaction": (last_room, ROOM),
    "the key is claimed outside the transaction": (one_key, 1),
    "a claim without token": (one_key, 1),
}
"""The race that each such mutant loses, and how many requests the bank may receive in it."""
ON_BOTH = {"no deadline", "a claim without token"}
"""What each engine keeps by means of its own; the others change what both run, and are looked for on SQLite."""


def each_with_engines(found_by: FoundBy) -> list[Any]:
    """The mutants which that test has to find, each with the engines on which it has to."""
    return [(name, engine) for name in names(found_by) for engine in (ENGINES if name in ON_BOTH else ENGINES[:1])]


@pytest.fixture
def quiet() -> Iterator[None]:
    """Without the product's own complaints about its defect."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def names(found_by: FoundBy) -> list[str]:
    """The mutants which that test has to find."""
    return [name for name, mutant in MUTANTS.items() if mutant.found_by is found_by]


@pytest.mark.parametrize("name", names(FoundBy.CRASHES))
def test_a_crash_finds(name: str) -> None:
    """The harness finds a double payment when the commit before sending is taken out, and so for its like."""
    mutant = MUTANTS[name]
    story = Story("mutant", answers=mutant.answers)

    report = carry_out(Plan(story, mutant=name, stop_at_first=True))

    found = [problem for point in report.points for problem in point.problems]
    assert [problem for problem in found if problem.startswith("paid twice")], f"survived {len(report.points)} crashes"


@pytest.mark.parametrize(("name", "engine"), each_with_engines(FoundBy.STOPS))
def test_a_stop_finds(name: str, engine: str, request: pytest.FixtureRequest) -> None:
    """The mutant "no deadline" is found by the story of a process that is stopped and goes on."""
    server = request.getfixturevalue("postgres").address if engine == "postgres" else ""
    report = stop_and_go(overruled=True, every=SOME_STOPS, mutant=name, server=server)

    assert all(any(problem.startswith("paid twice") for problem in point.problems) for point in report.points)
    assert report.points


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("name", names(FoundBy.STEPS))
def test_the_state_machine_finds(name: str) -> None:
    """Mutants kept as a test of the tests."""
    with mutated(MUTANTS[name]), pytest.raises(AssertionError):
        run_state_machine_as_test(Payments, settings=SEARCH)  # pyright: ignore[reportUnknownMemberType] - untyped there


@pytest.mark.parametrize(("name", "engine"), each_with_engines(FoundBy.RACES))
def test_a_race_finds(name: str, engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The limit checked outside the transaction, and by the same right the key."""
    run, requests_at_most = RACES[name]

    assert sum(run(place(engine, tmp_path, request), tmp_path, name).received.values()) > requests_at_most


@pytest.mark.parametrize(("name", "engine"), [("no head lock", "postgres"), ("no write lock", "sqlite")])
def test_a_race_is_told_of(name: str, engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Without the lock the history's numbers collide, so that nothing is paid twice, but calls fail."""
    raced = last_room(place(engine, tmp_path, request), tmp_path, name)

    assert told(raced)["ledger_unavailable"] > 0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", names(FoundBy.LOST_COMMITS))
def test_a_lost_answer_to_a_commit_finds(
    name: str, engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The retry of a commit that claims twice, on both engines."""
    with mutated(MUTANTS[name]):
        assert lost_commits(place(engine, tmp_path, request), tmp_path) != Lost()


def place(engine: str, folder: Path, request: pytest.FixtureRequest) -> str:
    """Where a new ledger is, on that engine."""
    return request.getfixturevalue("postgres").database() if engine == "postgres" else str(folder / "ledger.sqlite3")


def test_a_function_is_itself_again_afterwards() -> None:
    """A mutant that stays would be found by every other test, in the wrong place."""
    for name, mutant in MUTANTS.items():
        code = mutant.function.__code__
        with mutated(mutant):
            pass
        assert mutant.function.__code__ is code, name
