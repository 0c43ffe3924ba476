"""What the process does for its secrets before it does anything else."""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any, cast

from blikk_mcp.redaction import RedactedTextIO, Redactor

logger = logging.getLogger(__name__)


def guard_process(redactor: Redactor) -> None:
    """Redact what bypasses logging, write no core dumps, and report what nobody caught without its message."""
    sys.stderr = cast("Any", RedactedTextIO(redactor, sys.stderr))

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
