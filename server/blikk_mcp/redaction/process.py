"""What the process does for its secrets before it does anything else."""

from __future__ import annotations

import atexit
import logging
import sys
import threading
from typing import Any, cast

from blikk_mcp.redaction.redactor import RedactedTextIO, Redactor
from blikk_mcp.settings.key_rules import MIN_KEY_LENGTH

logger = logging.getLogger(__name__)


def redactor_of(*secrets: str) -> Redactor:
    """A redactor of what can be a secret. A wrong setting can be anything, also too short to be looked for."""
    return Redactor(secret for secret in secrets if len(secret.strip()) >= MIN_KEY_LENGTH)


def guard_process(redactor: Redactor) -> None:
    """Redact what bypasses logging, write no core dumps, and report what nobody caught without its message."""
    stderr = RedactedTextIO(redactor, sys.stderr)
    atexit.register(stderr.finish)
    sys.stderr = cast("Any", stderr)

    def report(kind: type[BaseException], error: BaseException | None, trace: Any) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        logger.critical("uncaught exception", exc_info=(kind, error or kind(), trace))

    sys.excepthook = report
    threading.excepthook = lambda args: report(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = lambda args: report(args.exc_type, args.exc_value, args.exc_traceback)
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
