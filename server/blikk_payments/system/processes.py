"""Look a process up by its pid: when it was started, and whether it has certainly ended."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROC = Path("/proc")
_STAT_STATE, _STAT_START_TIME = 0, 19
"""Places after the command name in `/proc/PID/stat`: fields 3 and 22 of proc(5), which counts from 1."""
_DEAD_STATES = frozenset("ZXx")


@dataclass(frozen=True, slots=True)
class Seen:
    """`is_gone`: certainly. `started`: what tells it from an earlier process with its pid; `""` if nobody can tell."""

    is_gone: bool
    started: str = ""


def look_at(pid: int) -> Seen:
    """What this system tells of a process. macOS, which has no /proc, tells only of an absent pid."""
    if sys.platform == "win32":
        from blikk_payments.system.windows_processes import Kernel32, look_through

        return look_through(Kernel32(), pid)
    state, started = _stat(pid)
    return Seen(state in _DEAD_STATES or (not started and _is_absent(pid)), started)


def machine_identity() -> tuple[str, str, str]:
    """Host, boot id and pid namespace: the same for the whole life of a process. What a system cannot tell is `""`."""
    return _machine_identity(PROC)


@cache
def _machine_identity(proc: Path) -> tuple[str, str, str]:
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        boot = ""
    try:
        namespace = str((proc / "self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return socket.gethostname(), boot, namespace


def _stat(pid: int) -> tuple[str, str]:
    """State letter and start time of a process, `""` where they cannot be read."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        # The command name, in brackets, may hold spaces and brackets of its own.
        fields = text[text.rindex(")") + 1 :].split()
        return fields[_STAT_STATE], fields[_STAT_START_TIME]
    except (OSError, ValueError, IndexError):
        return "", ""


def _is_absent(pid: int) -> bool:
    """Whether the kernel knows no such pid. Asked besides /proc, which can hide other users' processes."""
    # Never there: signal 0 is CTRL_C_EVENT on Windows, and `os.kill` ends the process.
    assert sys.platform != "win32"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
