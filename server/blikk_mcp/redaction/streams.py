"""Text that is written in pieces, redacted before it goes on."""

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from blikk_mcp.redaction.redactor import Redactor

HELD_BACK = 16 * 10 - 1
"""Characters a stream waits for: ten of a secret, each escaped twice or after a line break, less one."""
HELD_BACK_AT_MOST = 4_096
"""Characters after which the end of a secret is no longer waited for."""


class RedactingStream:
    """Redacts text written in pieces: what comes out, joined, is free of the secrets."""

    __slots__ = ("_done", "_redactor", "_text")

    def __init__(self, redactor: "Redactor") -> None:
        self._redactor = redactor
        self._text = ""  # what was let go of lately, for its context, then what is held back
        self._done = 0

    def write(self, piece: str) -> str:
        """Takes a piece; gives the text that no later piece can turn into a secret."""
        self._text += piece
        return self._release(len(self._text) - HELD_BACK)

    def settle(self, least: int = 1, *, lines_only: bool = False) -> str:
        """Gives all but a tail of `least` characters or more that could be the start of a secret."""
        limit = self._redactor.open_tail(self._text, least)
        return self._release(min(limit, self._text.rfind("\n") + 1) if lines_only else limit)

    def flush(self) -> str:
        """Gives all that is held back: for the end of the text."""
        return self._release(len(self._text))

    def _release(self, limit: int) -> str:
        if limit <= self._done:
            return ""
        spans = self._redactor.spans(self._text)
        for start, end in spans:
            if start < limit < end and limit - start < HELD_BACK_AT_MOST:
                limit = start  # a secret is given once and whole
        released = self._redactor.replaced(self._text, spans, self._done, limit)
        forgotten = max(0, limit - HELD_BACK)
        self._done = max(limit, self._done) - forgotten
        self._text = self._text[forgotten:]
        return released


class RedactedTextIO:
    """A text stream with redaction in front of it: whole lines go out at once, the rest when it is safe.

    Of a secret wrapped over lines that are written one by one, up to three characters can go out.
    """

    def __init__(self, redactor: "Redactor", target: TextIO) -> None:
        self._target = target
        self._stream = redactor.stream()
        self._lock = threading.RLock()

    def write(self, text: str) -> int:
        """Writes what is safe of the text and of what was held back."""
        with self._lock:
            out = self._stream.write(text)
            if "\n" in text:
                out += self._stream.settle(least=4, lines_only=True)
            self._target.write(out)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Writes each of the lines."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Writes all but a tail that could be the start of a secret."""
        with self._lock:
            self._target.write(self._stream.settle())
            self._target.flush()

    def finish(self) -> None:
        """Writes all that is held back: for the end of the process."""
        with self._lock:
            self._target.write(self._stream.flush())
            self._target.flush()

    def close(self) -> None:
        """Writes all that is held back and closes the target."""
        self.finish()
        self._target.close()

    def __getattr__(self, name: str) -> Any:
        if name in {"buffer", "detach", "_target", "_stream", "_lock"}:
            raise AttributeError(f"{name!r} would bypass redaction")
        return getattr(self._target, name)
