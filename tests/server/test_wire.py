"""The wire's own bounds, on pipes of this process."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from blikk_mcp.transports.wire import MAX_HELD_BYTES, READ_BYTES, Wire
from tests.server.running import LIMIT_SECONDS

LINE = b"x" * 1023 + b"\n"
LINES = 4 * MAX_HELD_BYTES // len(LINE)
PIPE_BYTES = 64 * 1024


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
