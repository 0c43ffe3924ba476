"""Forbid core dumps: a dump of this process's memory would hold the key."""

from __future__ import annotations

import sys


def forbid_core_dumps() -> None:
    """Turn core dumps off for good, whatever the limit was; on Windows, error reporting for this process."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.SetErrorMode(msvcrt.SEM_FAILCRITICALERRORS | msvcrt.SEM_NOGPFAULTERRORBOX)
    else:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
