"""The wire's own bounds, on pipes of this process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from blikk_mcp.transports import wire as wire_module
from blikk_mcp.transports.wire import MAX_HELD_BYTES, READ_BYTES, STALL_SECONDS, Wire
from tests.server.running import LIMIT_SECONDS

LINE = b"x" * 1023 + b"\n"
LINES = 4 * MAX_HELD_BYTES // len(LINE)
PIPE_BYTES = 64 * 1024
PIECES = 20
LONGEST_SECONDS = 0.01


class Pipes:
    """A wire between two pipes, and how much a client has written into the one."""

    def __init__(self) -> None:
        reads, self._client_writes = os.pipe()
        self.client_reads, writes = os.pipe()
        self.fds = [reads, self.client_reads, writes]
        self.wire = Wire(reads, writes)
        self.written_bytes = 0

    def write_lines(self) -> None:
        """Write as a client does that never waits, and hang up."""
        for _ in range(LINES):
            self.write(LINE)
        self.hang_up()

    def write(self, data: bytes) -> None:
        """Write as a client does; it waits while the pipe is full."""
        self.written_bytes += os.write(self._client_writes, data)

    def read(self, size: int) -> None:
        """Read as much as this of what the server says."""
        while size:
            size -= len(os.read(self.client_reads, size))

    def hang_up(self) -> None:
        """Close the client's end."""
        os.close(self._client_writes)


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    pipes = Pipes()
    yield pipes
    for fd in pipes.fds:
        os.close(fd)


def test_a_mebibyte_of_lines_is_held_and_reading_goes_on_as_they_are_taken(
    pipes: Pipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes faster than it is served fills its own pipe and not our memory, and loses nothing."""
    is_held_up = threading.Event()

    def looked_at(wire: Wire) -> bool:
        is_held_up.set()
        return False

    # Asked only while the reader waits for room.
    monkeypatch.setattr(Wire, "_is_abandoned", looked_at)
    pipes.wire.start()
    client = threading.Thread(target=pipes.write_lines, daemon=True)
    client.start()
    assert is_held_up.wait(LIMIT_SECONDS)
    assert pipes.written_bytes <= MAX_HELD_BYTES + READ_BYTES + PIPE_BYTES + 2 * len(LINE)
    taken = 0
    while (line := pipes.wire.next_line(LIMIT_SECONDS)) is not None:
        assert line == LINE[:-1]
        taken += 1
    assert taken == LINES
    client.join(LIMIT_SECONDS)


def test_a_byte_order_mark_is_skipped_at_the_start_alone_and_lines_without_a_letter_are_no_messages(
    pipes: Pipes,
) -> None:
    """Some editors begin a file with the mark; whoever presses Enter twice has said nothing that wants an answer."""
    mark = b"\xef\xbb\xbf"
    pipes.wire.start()
    pipes.write(mark + b"first\n\n  \r\n" + mark + b"second\n")
    pipes.hang_up()
    assert [pipes.wire.next_line(LIMIT_SECONDS) for _ in range(3)] == [b"first", mark + b"second", None]


class Clock:
    """Stands in for `time` where the wire looks at it, and moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now


class Looks:
    """How often the reader, which waits for room, has looked whether anybody is there. Pauses of the client are told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock()
        self._looked = threading.Semaphore(0)
        is_abandoned = Wire._is_abandoned  # pyright: ignore[reportPrivateUsage] - asked only while the reader waits

        def look(wire: Wire) -> bool:
            gone = is_abandoned(wire)
            self._looked.release()
            return gone

        monkeypatch.setattr(wire_module, "time", self.clock)
        monkeypatch.setattr(wire_module, "LOOK_SECONDS", 0.001)
        monkeypatch.setattr(wire_module, "MAX_HELD_BYTES", 2)
        monkeypatch.setattr(Wire, "_is_abandoned", look)

    def wait_for_one(self) -> None:
        """Return after a look that began after this."""
        while self._looked.acquire(blocking=False):
            pass
        for _ in range(2):
            assert self._looked.acquire(timeout=LIMIT_SECONDS)

    def pass_seconds(self, seconds: float) -> None:
        """Let so much time go by between two looks."""
        self.wait_for_one()
        self.clock.now += seconds
        self.wait_for_one()


def lines_left(wire: Wire) -> int:
    """How many lines there are to be taken until the end."""
    taken = 0
    while wire.next_line(LIMIT_SECONDS) is not None:
        taken += 1
    return taken


def test_a_client_that_hung_up_and_reads_slowly_gets_its_answers(pipes: Pipes, monkeypatch: pytest.MonkeyPatch) -> None:
    """`printf … | blikk-mcp | less`: every pause is short, one answer takes long, and what was asked is answered."""
    looks = Looks(monkeypatch)
    pipes.wire.start()
    pipes.wire.send(b"x" * PIECES * READ_BYTES)
    pipes.write(b"1\n2\n3\n")
    pipes.hang_up()
    for _ in range(PIECES):
        pipes.read(READ_BYTES)
        looks.pass_seconds(STALL_SECONDS / 5)
    assert lines_left(pipes.wire) == 3


def test_a_client_that_hung_up_and_reads_nothing_is_gone_after_a_while(
    pipes: Pipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is there to read an answer to what it still asked; the while begins when there is something to read."""
    looks = Looks(monkeypatch)
    pipes.wire.start()
    pipes.wire.send(b"x" * PIPE_BYTES)
    pipes.wire.drain(LIMIT_SECONDS)
    looks.clock.now += 100 * STALL_SECONDS
    pipes.wire.send(b"x" * PIECES * READ_BYTES)
    pipes.write(b"1\n2\n3\n")
    pipes.hang_up()
    looks.pass_seconds(STALL_SECONDS / 2)
    assert not pipes.wire.has_ended
    looks.wait_for_one()
    looks.clock.now += STALL_SECONDS
    assert lines_left(pipes.wire) == 0


@pytest.mark.parametrize("seconds", [None, LIMIT_SECONDS])
def test_where_a_signal_is_not_heard_in_a_wait_no_wait_is_long(
    pipes: Pipes, monkeypatch: pytest.MonkeyPatch, seconds: float | None
) -> None:
    """On Windows a Ctrl-C is heard between two waits."""
    waits: list[float | None] = []
    wait, here = threading.Condition.wait, threading.get_ident()

    def recorded(condition: threading.Condition, timeout: float | None = None) -> bool:
        if threading.get_ident() == here:
            waits.append(timeout)
            if len(waits) == 3 or timeout != LONGEST_SECONDS:
                pipes.write(LINE)
        return wait(condition, timeout)

    monkeypatch.setattr(wire_module, "LONGEST_WAIT_SECONDS", LONGEST_SECONDS)
    pipes.wire.start()
    monkeypatch.setattr(threading.Condition, "wait", recorded)
    assert pipes.wire.next_line(seconds) == LINE[:-1]
    assert set(waits) == {LONGEST_SECONDS}
    pipes.hang_up()
    # The thread that reads must not find another test's pipe under this number.
    while pipes.wire.next_line(LIMIT_SECONDS) is not None:
        pass


def test_stdin_and_stdout_are_the_protocols_alone() -> None:
    """Whatever a library or a child prints goes to stderr, and nothing else can read what the client says."""
    program = """
import os, subprocess, sys
from blikk_mcp.transports.wire import claim_standard_streams
wire = claim_standard_streams()
wire.start()
print("a print")
os.write(1, b"a write\\n")
subprocess.run([sys.executable, "-c", "print('a child')"])
wire.send(b"stolen: %d, line: %s\\n" % (len(os.read(0, 100)), wire.next_line(60)))
wire.drain(60)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], input=b"hello\n", capture_output=True, timeout=LIMIT_SECONDS, check=True
    )
    assert ended.stdout == b"stolen: 0, line: hello\n"
    assert sorted(ended.stderr.splitlines()) == [b"a child", b"a print", b"a write"]
