"""No core dump of this process: it would hold the key. Standard library only: the front door needs it, too."""

from __future__ import annotations


def forbid_core_dumps() -> None:
    """Turn core dumps off for good, whatever the limit was. Windows has no such limit."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
