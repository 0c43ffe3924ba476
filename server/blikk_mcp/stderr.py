"""Write to stderr without ever blocking. Standard library only: it is there before anything else is loaded."""

from __future__ import annotations

import atexit
import io
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import cast

MAX_UNWRITTEN_CHARACTERS = 256 * 1024
"""What is written while nobody reads; more than that is dropped and counted."""

FINISH_SECONDS = 0.5
"""How long the end of the process waits for the last lines to be read."""


class QueuedStderr(io.TextIOBase):
    """Hands text to a thread that writes it: a client that never reads stderr stops that thread and nothing else."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._changed = threading.Condition()
        self._pieces: deque[str] = deque()
        self._unwritten = 0
        self._dropped = 0
        self._started = False
        self.say_dropped: Callable[[int], str] = "{} lines for stderr were dropped: nobody read it\n".format
        """What is written when there is room again, after that many writes had to be dropped."""

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """For whoever asks what it is; writing past the queue could wait."""
        return self._fd

    def write(self, text: str, /) -> int:
        """Take the text, or drop the whole of it and count."""
        with self._changed:
            if self._unwritten + len(text) > MAX_UNWRITTEN_CHARACTERS:
                self._dropped += 1
            elif text:
                self._pieces.append(text)
                self._unwritten += len(text)
            if not self._started:
                self._started = True
                threading.Thread(target=self._run, name="stderr", daemon=True).start()
            self._changed.notify_all()
        return len(text)

    def finish(self) -> None:
        """Wait a moment for what is not written yet; the end does not depend on a reader."""
        with self._changed:
            self._changed.wait_for(lambda: not self._unwritten, FINISH_SECONDS)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._unwritten or self._dropped)
                text = "".join(self._pieces)
                if self._dropped:
                    text += self.say_dropped(self._dropped)
                    self._dropped = 0
                self._pieces.clear()
            self._write_all(text.encode(errors="backslashreplace"))
            with self._changed:
                self._unwritten = sum(map(len, self._pieces))
                self._changed.notify_all()

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError:
            return  # stderr is closed: there is nobody to tell


def queue_stderr() -> QueuedStderr:
    """Put the queue in stderr's place, for logs, warnings and tracebacks alike."""
    queued = QueuedStderr(2)
    sys.stderr = cast("io.TextIOWrapper", queued)
    atexit.register(queued.finish)
    return queued
