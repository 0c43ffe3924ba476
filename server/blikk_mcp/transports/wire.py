"""Read stdin and write stdout in lines, on two threads: bounded both ways, and never holding up the process's end.

Standard library only, and no event loop: the front door is built on it, and the SDK's server after the door.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from blikk_payments.system.signals import LONGEST_WAIT_SECONDS
from blikk_payments.system.streams import has_hung_up

MAX_LINE_BYTES = 4 * 1024 * 1024
"""No message of ours or a client's comes near it. Of a longer line only the two edges are kept."""

EDGE_BYTES = 1024
READ_BYTES = 64 * 1024

MAX_HELD_BYTES = 1024 * 1024
"""Lines read and not yet taken; beyond that the client's pipe fills up."""

MAX_UNSENT_BYTES = 1024 * 1024
"""Answers that the client has not read; beyond that nothing more is taken from it."""

STALL_SECONDS = 0.5
"""A client that has hung up and reads nothing for so long is gone, whatever lies in the pipes."""

LOOK_SECONDS = 0.25
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class TooLong:
    """What is left of a line beyond the bound: its first bytes and its last."""

    __slots__ = ("head", "tail")

    def __init__(self, head: bytes, tail: bytes) -> None:
        self.head = head
        self.tail = tail


Line = bytes | TooLong


class Wire:
    """The protocol's two ends. Threads read and write; whoever serves takes lines and sends lines."""

    def __init__(self, fd_in: int, fd_out: int) -> None:
        self._in = fd_in
        self._out = fd_out
        self._changed = threading.Condition()
        self._lines: deque[Line] = deque()
        self._held_bytes = 0
        self._unsent: deque[bytes] = deque()
        self._unsent_bytes = 0
        self._moved_at = time.monotonic()
        self._ended = False
        self.is_broken = False
        """Nobody reads our answers any more."""
        self.on_change: Callable[[], None] | None = None
        """Called from the threads when there is a line, an end, or room."""

    def start(self) -> None:
        """Begin to read and to write. Neither thread keeps the process alive."""
        threading.Thread(target=self._read, name="stdin", daemon=True).start()
        threading.Thread(target=self._write, name="stdout", daemon=True).start()

    @property
    def has_ended(self) -> bool:
        """Whether the client has hung up. There may be lines left."""
        return self._ended

    @property
    def is_over(self) -> bool:
        """Whether no line is left and none will come."""
        return self._ended and not self._lines

    @property
    def has_line(self) -> bool:
        """Whether a line can be taken now."""
        return bool(self._lines)

    @property
    def has_room(self) -> bool:
        """Whether the client reads its answers."""
        return self._unsent_bytes <= MAX_UNSENT_BYTES

    @property
    def is_sent(self) -> bool:
        """Whether every answer is in the client's pipe."""
        return not self._unsent_bytes

    def take(self) -> Line:
        """The next line; only if there is one."""
        with self._changed:
            line = self._lines.popleft()
            self._held_bytes -= _size(line)
            self._changed.notify_all()
            return line

    def next_line(self, seconds: float | None = None) -> Line | None:
        """Wait for the next line, with room for its answer; None at the end.

        Raises:
            TimeoutError: nothing came for so long.
        """
        self._wait(self._has_next, seconds)
        if not self._has_next():
            raise TimeoutError
        return None if self.is_broken or not self._lines else self.take()

    def _has_next(self) -> bool:
        return self.is_broken or self.is_over or (bool(self._lines) and self.has_room)

    def send(self, line: bytes) -> None:
        """Hand a line over to be written. It never waits: `has_room` says whether one should."""
        with self._changed:
            if self.is_broken:
                return
            if not self._unsent_bytes:
                self._moved_at = time.monotonic()
            self._unsent.append(line)
            self._unsent_bytes += len(line)
            self._changed.notify_all()

    def drain(self, seconds: float) -> None:
        """Wait until all is written, but not longer than this."""
        self._wait(lambda: self.is_sent or self.is_broken, seconds)

    def _wait(self, ready: Callable[[], bool], seconds: float | None = None) -> None:
        until = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            while not ready():
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    return
                bounds = (bound for bound in (left, LONGEST_WAIT_SECONDS) if bound is not None)
                self._changed.wait(min(bounds, default=None))

    def _notify(self) -> None:
        self._changed.notify_all()
        if self.on_change:
            self.on_change()

    def _read(self) -> None:
        first = True
        for line in split_lines(lambda: _read_some(self._in)):
            if first and isinstance(line, bytes):
                line = line.removeprefix(BYTE_ORDER_MARK)
            first = False
            if (not isinstance(line, bytes) or line.strip()) and not self._keep(line):
                break
        with self._changed:
            self._ended = True
            self._notify()

    def _keep(self, line: Line) -> bool:
        with self._changed:
            while self._held_bytes >= MAX_HELD_BYTES:
                self._changed.wait(LOOK_SECONDS)
                if self._is_abandoned():
                    # Nobody is there to read an answer to what is still in the pipe.
                    self._lines.clear()
                    self._held_bytes = 0
                    return False
            self._lines.append(line)
            self._held_bytes += _size(line)
            self._notify()
        return True

    def _is_abandoned(self) -> bool:
        stalled = bool(self._unsent_bytes) and time.monotonic() - self._moved_at >= STALL_SECONDS
        return stalled and has_hung_up(self._in)

    def _write(self) -> None:
        while True:
            with self._changed:
                while not self._unsent:
                    self._changed.wait()
                line = self._unsent.popleft()
            written = self._write_all(line)
            with self._changed:
                self._unsent_bytes -= len(line)
                if not written:
                    self.is_broken = True
                    self._unsent.clear()
                    self._unsent_bytes = 0
                self._notify()
            if not written:
                return

    def _write_all(self, line: bytes) -> bool:
        view = memoryview(line)
        try:
            while view:
                view = view[os.write(self._out, view[:READ_BYTES]) :]
                self._moved_at = time.monotonic()
        except OSError:
            return False
        return True


def split_lines(read: Callable[[], bytes]) -> Iterator[Line]:
    """The lines of what is read, without their ends; a line beyond the bound costs no memory and is one line still."""
    held, head = bytearray(), b""

    def line() -> Line:
        if head:
            return TooLong(head, bytes(held[-EDGE_BYTES:]))
        if len(held) > MAX_LINE_BYTES:
            return TooLong(bytes(held[:EDGE_BYTES]), bytes(held[-EDGE_BYTES:]))
        return bytes(held)

    while chunk := read():
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            held += part
            yield line()
            held.clear()
            head = b""
        held += rest
        if len(held) > MAX_LINE_BYTES:
            head = head or bytes(held[:EDGE_BYTES])
            del held[:-EDGE_BYTES]
    if held:
        yield line()


def claim_standard_streams() -> Wire:
    """Take stdin and stdout for the protocol alone: whatever else reads or prints from now on misses the wire."""
    wire = Wire(os.dup(0), os.dup(1))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    try:
        os.dup2(2, 1)
    except OSError:
        os.dup2(nothing, 1)
    os.close(nothing)
    sys.stdout = sys.stderr
    return wire


def _size(line: Line) -> int:
    return len(line) if isinstance(line, bytes) else len(line.head) + len(line.tail)


def _read_some(fd: int) -> bytes:
    try:
        return os.read(fd, READ_BYTES)
    except OSError:
        return b""
