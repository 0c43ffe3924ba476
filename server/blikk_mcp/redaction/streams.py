"""A text stream with redaction in front of it, for what bypasses the log."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, TextIO

MAX_LINE = 65_536
"""Characters after which a line is no longer waited for to end, and left out."""

TOO_LONG = "[a line of more than 65,536 characters was left out]\n"


class RedactedTextIO:
    """Lets whole lines through, each redacted: in pieces a secret could pass unseen."""

    def __init__(self, redact: Callable[[str], str], target: TextIO) -> None:
        self._redact = redact
        self._target = target
        self._line = ""
        self._skipping = False
        self._lock = threading.RLock()

    def write(self, text: str) -> int:
        """Write the lines that end in the text; keep the rest until its end comes."""
        with self._lock:
            *lines, self._line = (self._line + text).splitlines(keepends=True) or [""]
            if self._line.endswith("\n"):
                lines.append(self._line)
                self._line = ""
            for line in lines:
                self._write_line(line)
            if len(self._line) > MAX_LINE:
                self._line, self._skipping = "", True
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of the lines."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush what was written; a line that has not ended stays back."""
        with self._lock:
            self._target.flush()

    def finish(self) -> None:
        """Write the last line, ended or not: for the end of the process."""
        with self._lock:
            line, self._line = self._line, ""
            self._write_line(line)
            self._target.flush()

    def close(self) -> None:
        """Write the last line and close the target."""
        self.finish()
        self._target.close()

    def __getattr__(self, name: str) -> Any:
        if name in {"buffer", "detach"} or name.startswith("_"):
            raise AttributeError(f"{name!r} would bypass redaction")
        return getattr(self._target, name)

    def _write_line(self, line: str) -> None:
        skipped, self._skipping = self._skipping, False
        self._target.write(TOO_LONG if skipped or len(line) > MAX_LINE else self._redact(line))
