"""SIGKILL at line after line of a create and of the recovery after it, against a bank that is slow to show what it has.

`BLIKK_CRASH_FULL=1` kills at every line of every story, which takes several minutes.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest

from blikk_sandbox.running import run_sandbox_in_thread
from tests.missing import unavailable
from tests.payments.crash.calls import Story
from tests.payments.crash.harness import Plan, Report
from tests.payments.crash.running import FULL, broken, carry_out
from tests.postgres import PostgresServer

PROCESSES = 2
SAMPLE_OF_LINES = 40
SAMPLE_ON_POSTGRESQL = 45
PLAIN = Story("plain")
IN_THREADS = Story("in threads", threads=True)


@pytest.fixture(scope="module", autouse=True)
def _forks() -> None:
    """Crashed processes are forked."""
    if not hasattr(os, "fork"):
        unavailable("this system has no fork")


@pytest.fixture(scope="module")
def plain() -> Report:
    """Killed at every single line of a create on a machine that has no ledger yet."""
    return carry_out(Plan(PLAIN), PROCESSES)


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Iterator[list[tuple[str, Report]]]:
    """Says how much was tried, whatever the options of the test run."""
    told: list[tuple[str, Report]] = []
    yield told
    with capsys.disabled():
        for name, report in told:
            ends = ", ".join(f"{count} {end}" for end, count in sorted(Counter(p.ended for p in report.points).items()))
            print(f"\n{len(report.points)} crash points, {name}: {ends}", end="")  # noqa: T201 - asked for


def test_a_process_that_dies_at_one_of_some_lines_of_a_create_has_not_paid_twice() -> None:
    """A sample of the next test for every day."""
    report = carry_out(Plan(PLAIN, every=SAMPLE_OF_LINES), PROCESSES)

    assert broken(report) == []
    assert len(report.points) >= report.lines // SAMPLE_OF_LINES
    assert {point.ended for point in report.points} == {"created", "unknown"}


@pytest.mark.slow
def test_a_process_that_dies_at_any_line_of_a_create_has_not_paid_twice(
    plain: Report, tell: list[tuple[str, Report]]
) -> None:
    """SIGKILL at every line, zero double payments, every payment of the bank's known or reported unknown."""
    tell.append(("every line of a create", plain))

    assert broken(plain) == []
    assert [point.first for point in plain.points] == list(range(1, plain.lines + 1))
    assert {point.ended for point in plain.points} == {"created", "unknown"}


@pytest.mark.slow
def test_a_process_that_dies_again_while_it_recovers_has_not_paid_twice(
    plain: Report, tell: list[tuple[str, Report]]
) -> None:
    """And at every line of the recovery. All that a dead process leaves is files: one crash for each such state."""
    first_with = {point.left: point.first for point in reversed(plain.points)}
    crashes = tuple(sorted(first_with.values()))

    report = carry_out(Plan(PLAIN, crashed_at=crashes, every=1 if FULL else 10_000), PROCESSES)

    tell.append((f"at a line of the recovery from one of {len(crashes)} states", report))
    assert broken(report) == []
    assert len(crashes) >= 9
    assert {point.first for point in report.points} <= set(crashes)
    assert len(report.points) > 300


@pytest.mark.slow
@pytest.mark.parametrize(
    ("story", "known"),
    [
        (Story("lost", answers=("lost",)), PLAIN),
        (Story("refused", answers=("refused",)), PLAIN),
        (Story("asked", equal_before=True), PLAIN),
        (IN_THREADS, PLAIN),
        (Story("in turn", in_turn=True), PLAIN),
        (Story("at once", threads=True, at_once=True), IN_THREADS),
    ],
    ids=lambda story: story.name,
)
def test_a_crash_in_any_other_story_ends_no_worse(story: Story, known: Story, tell: list[tuple[str, Report]]) -> None:
    """The answer lost, refused, a person asked, the ledger called as the server does, several at once or in turn."""
    report = carry_out(Plan(story, every=1 if FULL else 20, new_to=(known,)), PROCESSES)

    tell.append((f"the story {story.name!r}", report))
    assert broken(report) == []
    assert len(report.points) >= report.lines // 20


@pytest.mark.slow
def test_a_crash_in_mid_http_has_not_paid_twice(tell: list[tuple[str, Report]]) -> None:
    """The lines of the channel too, over real HTTP, at a sandbox that is slow to show its payments."""
    with run_sandbox_in_thread(life="slow_to_show") as sandbox:
        story = Story("http", base_url=sandbox.base_url, api_key=sandbox.api_key)
        plan = Plan(story, every=1 if FULL else 50, new_to=(PLAIN,), control_url=sandbox.control_url)
        report = carry_out(plan, PROCESSES)

    tell.append(("over real HTTP", report))
    assert broken(report) == []
    assert sum(point.survived for point in report.points) <= len(report.points) // 20
    assert {point.ended for point in report.points} == {"created", "unknown"}


@pytest.mark.slow
def test_a_crash_with_the_ledger_in_postgresql_has_not_paid_twice(
    postgres: PostgresServer, tell: list[tuple[str, Report]]
) -> None:
    """The crash harness on both engines. A sample: most lines, and the money logic, are those of SQLite too."""
    every = 1 if FULL else SAMPLE_ON_POSTGRESQL
    report = carry_out(Plan(Story("postgresql", server=postgres.address), every=every), PROCESSES)

    tell.append(("with the ledger in PostgreSQL", report))
    assert broken(report) == []
    assert len(report.points) >= report.lines // every > 20
    assert {point.ended for point in report.points} == {"created", "unknown"}
