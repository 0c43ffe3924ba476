"""Processes forked from a warm one, each for a piece of work that may end in SIGKILL."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.payments.crash.lines import Lines

ALARM_SECONDS = 60
"""No piece of work takes this long: one that hangs is a failure, not a test that never ends."""


@dataclass(frozen=True)
class Ended:
    """What became of a child: killed at its line, or else what it said, and the lines it went through."""

    killed: bool
    said: dict[str, Any]
    lines: list[tuple[str, int]]


def warm() -> None:
    """Make forks cheap: what exists now is left alone by the collector, in the children too."""
    gc.collect()
    gc.disable()
    gc.freeze()


class Child:
    """A process forked for a piece of work whose lines are counted."""

    def __init__(self, work: Callable[[], dict[str, Any]], lines: Lines, *, listed: bool = False) -> None:
        assert threading.active_count() == 1, "a process with threads cannot be forked safely"
        reading, writing = os.pipe()
        self._may_die = lines.kill_at > 0
        self._pid: int | None = os.fork()
        if self._pid == 0:
            os.close(reading)
            _be_child(work, lines, writing, listed=listed)
        os.close(writing)
        self._pipe = os.fdopen(reading, "rb")

    def stops(self) -> bool:
        """Wait until it has stopped, or ended; whether it has stopped."""
        assert self._pid is not None
        # One that has ended stays to be waited for.
        found = os.waitid(os.P_PID, self._pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        return found is not None and found.si_code == os.CLD_STOPPED

    def go_on(self) -> None:
        """Let it go on."""
        assert self._pid is not None
        os.kill(self._pid, signal.SIGCONT)

    def close(self) -> None:
        """Kill it, if it has not ended."""
        self._pipe.close()
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = None

    def ended(self) -> Ended:
        """What it said, or that it was killed at its line.

        Raises:
            AssertionError: the work itself failed.
        """
        assert self._pid is not None
        # Read to the end first: a child that waits for room in the pipe never ends.
        text = self._pipe.read()
        self._pipe.close()
        _, status = os.waitpid(self._pid, 0)
        self._pid = None
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL, f"the child died of signal {os.WTERMSIG(status)}"
            assert self._may_die, "the child was killed by somebody else"
            return Ended(killed=True, said={}, lines=[])
        said = json.loads(text)
        assert "failure" not in said, said["failure"]
        return Ended(killed=False, said=said["said"], lines=[(name, line) for name, line in said["lines"]])


def in_child(work: Callable[[], dict[str, Any]], *besides: Path, kill_at: int = 0, listed: bool = False) -> Ended:
    """Fork, do the work while its lines are counted, die at the line `kill_at` if that comes.

    Raises:
        AssertionError: the work itself failed.
    """
    return Child(work, Lines(*besides, kill_at=kill_at), listed=listed).ended()


def _be_child(work: Callable[[], dict[str, Any]], lines: Lines, writing: int, *, listed: bool) -> None:
    """Never returns: nothing of the parent's may go on in the child."""
    signal.alarm(ALARM_SECONDS)
    try:
        if listed or lines.kill_at or lines.stop_at:
            with lines.watched():
                said = work()
        else:
            said = work()
        answer: dict[str, Any] = {"said": said, "lines": lines.seen if listed else []}
    except BaseException:
        answer = {"failure": traceback.format_exc()}
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(json.dumps(answer).encode())
    sys.stderr.flush()
    os._exit(0)
