"""Logs: an event and its fields, on stderr, as JSON or for people. Never a key, a kennitala, an account or a name.

Only our own records are written in full. Of everybody else's the template is kept and the arguments are dropped, and
of an exception its type and where it was raised: what others put into a message is not ours to vouch for.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

OUR_LOGGERS = ("blikk_mcp", "blikk_payments", "blikk_tools")
MAX_FRAMES = 12

_WARNING = re.compile(r"(.*?):([0-9]+): (\w+): ")
"""Where a warning comes from, and its kind."""

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class SafeFormatter(logging.Formatter):
    """Formats a record and redacts the whole line, traceback included: a filter would miss those."""

    def __init__(self, form: str, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._form = form
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": self._event(record),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            fields["exception"] = _exception(record.exc_info[1])
        if self._form == "json":
            return self._redact(json.dumps(fields, ensure_ascii=False, separators=(",", ":")))
        rest = " ".join(f"{name}={value}" for name, value in fields.items() if name not in ("at", "level", "event"))
        return self._redact(
            f"{fields['at']} {fields['level']:7} {fields['event']} {rest}".rstrip().replace("\n", " | ")
        )

    def _event(self, record: logging.LogRecord) -> str:
        if record.name.startswith(OUR_LOGGERS):
            return record.getMessage()
        if record.name == "py.warnings":
            # Python hands over the finished text, which can hold the very value that was warned about.
            place = _WARNING.match(record.getMessage())
            return f"{record.name}: {os.path.basename(place[1])}:{place[2]} {place[3]}" if place else record.name
        return f"{record.name}: {record.msg}" if isinstance(record.msg, str) else record.name


def log_event(logger: logging.Logger, level: int, event: str, **fields: object) -> None:
    """Write one event with its fields."""
    logger.log(level, event, extra={"fields": fields})


def start_logging(level: str, form: str, redact: Callable[[str], str], stream: TextIO | None = None) -> None:
    """Send all logs of the process to stderr through the one formatter. Replaces whatever handlers there were."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(SafeFormatter(form, redact))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[level])
    # These write URLs and headers at info and debug: nothing of theirs below a warning, whatever our level.
    for noisy in (
        "httpx",
        "httpcore",
        "httpx2",
        "httpcore2",
        "hpack",
        "mcp",
        "asyncio",
        "uvicorn",
        "urllib3",
    ):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    logging.raiseExceptions = False


def dropped_line(form: str) -> Callable[[int], str]:
    """How the log says that so many of its lines were dropped because nobody read them."""
    formatter = SafeFormatter(form, str)

    def line(count: int) -> str:
        record = logging.LogRecord(__name__, logging.WARNING, __file__, 0, "log_lines_dropped", None, None)
        record.fields = {"count": count}
        return formatter.format(record) + "\n"

    return line


def _exception(error: BaseException | None) -> dict[str, Any]:
    if error is None:
        return {}
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    where = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    text: dict[str, Any] = {"type": type(error).__name__, "where": where}
    if cause is not None:
        text["cause"] = type(cause).__name__
    return text
