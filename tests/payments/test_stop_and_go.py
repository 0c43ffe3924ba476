"""SIGSTOP at line after line of a create; others say unknown, the operator decides, the key is sent again; SIGCONT."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.missing import unavailable
from tests.payments.crash.harness import Report
from tests.payments.crash.running import FULL, broken, stop_and_go
from tests.postgres import PostgresServer

PROCESSES = 2
SAMPLE_OF_LINES = 50
"""Of the hundred lines between the claim and the first byte, two or three for every day."""

OVERRULED = "claimed sending unknown resolved_not_created claimed sending created"
REFUSED = "claimed sending unknown refused claimed sending created"
HALF_SENT = "claimed sending unknown"
LATE_ANSWER = "claimed sending unknown created"


@pytest.fixture(scope="module", autouse=True)
def _forks() -> None:
    """Stopped processes are forked."""
    if not hasattr(os, "fork"):
        unavailable("this system has no fork")


def test_a_process_that_was_stopped_at_some_lines_before_its_first_byte_has_not_paid_twice() -> None:
    """A sample of the next test for every day."""
    report = stop_and_go(overruled=True, every=SAMPLE_OF_LINES)

    assert broken(report) == []
    assert {point.ended for point in report.points} == {OVERRULED}


@pytest.mark.slow
def test_a_process_that_was_stopped_at_any_line_before_its_first_byte_has_not_paid_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Stop, unknown, resolve, send again, continue: nothing paid twice, whatever the line.

    Every line from the claim to the first byte. The operator is refused before, while the claim is young and while its
    process lives; then that is bypassed.
    """
    report = stop_and_go(overruled=True, parts=PROCESSES)

    tell(report, "the operator overrules the ledger", capsys)
    assert broken(report) == []
    assert len(report.points) == report.lines > 50
    assert {point.ended for point in report.points} == {OVERRULED}


@pytest.mark.slow
def test_a_process_that_was_stopped_and_is_waited_for_writes_down_that_it_sent_nothing_or_what_it_hears(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Too late is "not sent", and frees the key. What has left is answered late; half a request is in doubt."""
    report = stop_and_go(overruled=False, every=1 if FULL else 10, parts=PROCESSES)

    tell(report, "the operator waits", capsys)
    assert broken(report) == []
    assert {point.ended for point in report.points if point.left == "not sent"} <= {REFUSED, HALF_SENT}
    assert {point.ended for point in report.points if point.left == "sent"} == {LATE_ANSWER}
    assert REFUSED in {point.ended for point in report.points}


@pytest.mark.slow
@pytest.mark.parametrize(("overruled", "every"), [(True, 12), (False, 40)], ids=["overruled", "heeded"])
def test_a_stopped_process_with_the_ledger_in_postgresql_has_not_paid_twice(
    overruled: bool, every: int, postgres: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same story on the other engine, at a sample of the lines."""
    report = stop_and_go(overruled=overruled, every=1 if FULL else every, server=postgres.address)

    tell(report, "the ledger in PostgreSQL", capsys)
    assert broken(report) == []
    assert {point.ended for point in report.points} <= ({OVERRULED} if overruled else {REFUSED, HALF_SENT, LATE_ANSWER})
    assert len(report.points) >= report.lines // every > 4


def tell(report: Report, story: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Say how much was tried, whatever the options of the test run."""
    ends = ", ".join(f"{count} {end!r}" for end, count in Counter(point.ended for point in report.points).items())
    with capsys.disabled():
        print(f"\nstopped at {len(report.points)} lines, {story}: {ends}", end="")  # noqa: T201 - asked for
