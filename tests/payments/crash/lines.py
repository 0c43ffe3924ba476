"""Counting the lines of our own source that a process executes, and dying or stopping at one of them."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import blikk_payments

Line = tuple[str, int]
"""A file's name below its package, and a line in it."""

SOURCE = Path(blikk_payments.__file__).parent


class Lines:
    """Sees every line of the payment code, and of the files given besides, just before it is executed."""

    def __init__(self, *besides: Path, kill_at: int = 0, stop_at: int = 0) -> None:
        """`kill_at`, `stop_at`: the number, from 1, of the line before which the process dies or stops; 0 for never."""
        watched = [*SOURCE.rglob("*.py"), *besides]
        self._names = {str(path): str(path.relative_to(path.parents[1])) for path in watched}
        self.kill_at = kill_at
        self.stop_at = stop_at
        self._lock = threading.Lock()
        self.seen: list[Line] = []

    @contextmanager
    def watched(self) -> Generator[None]:
        """Watch this thread, and those that start meanwhile."""
        threading.settrace(self._call)
        sys.settrace(self._call)
        try:
            yield
        finally:
            sys.settrace(None)
            threading.settrace(None)  # pyright: ignore[reportArgumentType] - None ends it, which the stub forgets

    def _call(self, frame: FrameType, event: str, arg: Any) -> Any:
        return self._line if frame.f_code.co_filename in self._names else None

    def _line(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            with self._lock:
                self.seen.append((self._names[frame.f_code.co_filename], frame.f_lineno))
                if len(self.seen) == self.kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)
                if len(self.seen) == self.stop_at:
                    os.kill(os.getpid(), signal.SIGSTOP)
        return self._line
