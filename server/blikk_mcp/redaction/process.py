"""Redact what this process writes past its log, and decide which values are secrets at all."""

from __future__ import annotations

import atexit
import logging
import sys
import threading
from typing import Any, cast

from blikk_mcp.redaction.redactor import Redactor
from blikk_mcp.redaction.streams import RedactedTextIO
from blikk_mcp.settings.key_rules import MIN_KEY_LENGTH
from blikk_mcp.settings.placeholders import is_placeholder
from blikk_mcp.settings.surface import SURFACE_WORDS
from blikk_payments.system.limits import forbid_core_dumps

logger = logging.getLogger(__name__)


def redactor_of(*secrets: str) -> Redactor:
    """A redactor of what can be a secret. A wrong setting can be anything, also too short to be looked for.

    A placeholder is no secret, nor is a word of our own answers: the message that says so must be readable.
    """
    return Redactor(secret for secret in secrets if _can_be_secret(secret.strip()))


def _can_be_secret(text: str) -> bool:
    if len(text) < MIN_KEY_LENGTH or is_placeholder(text):
        return False
    return not any(text.casefold() in word for word in SURFACE_WORDS)


def guard_process(redactor: Redactor) -> None:
    """Redact what bypasses logging, write no core dumps, and report what nobody caught without its message."""
    stderr = RedactedTextIO(redactor.text, sys.stderr)
    atexit.register(stderr.finish)
    sys.stderr = cast("Any", stderr)

    def report(kind: type[BaseException], error: BaseException | None, trace: Any) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        logger.critical("uncaught exception", exc_info=(kind, error or kind(), trace))

    sys.excepthook = report
    threading.excepthook = lambda args: report(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = lambda args: report(args.exc_type, args.exc_value, args.exc_traceback)
    forbid_core_dumps()
