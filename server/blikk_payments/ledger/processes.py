"""Which process is sending a payment, told so that another process can find out that it is gone.

A pid alone proves nothing: pids are reused, and a container or another machine has its own. So a process is
named by host, boot, pid namespace, pid and start time, and called gone only where that leaves no doubt.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path
from typing import Any

PROC = Path("/proc")
_STAT_STATE, _STAT_START_TIME = 0, 19
"""Places after the command name in `/proc/PID/stat`: fields 3 and 22 of proc(5), which counts from 1."""
_DEAD_STATES = frozenset("ZXx")


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process of one boot of one machine. What a platform cannot tell is `""`."""

    host: str
    boot: str
    namespace: str
    pid: int
    started: str

    @classmethod
    def current(cls) -> ProcessIdentity:
        """The identity of this process."""
        pid = os.getpid()
        host, boot, namespace = _machine_identity(PROC)
        _, started = _stat(pid)
        return cls(host=host, boot=boot, namespace=namespace, pid=pid, started=started)

    @classmethod
    def parse(cls, token: str) -> ProcessIdentity | None:
        """The identity that `dump` wrote, or None if this is no such token."""
        try:
            parts: Any = json.loads(token)
            host, boot, namespace, pid, started = parts
        except (ValueError, TypeError):
            return None
        texts = (host, boot, namespace, started)
        if type(pid) is not int or pid <= 0 or not all(isinstance(text, str) for text in texts):
            return None
        return cls(host=host, boot=boot, namespace=namespace, pid=pid, started=started)

    def dump(self) -> str:
        """This identity as one line of text."""
        return json.dumps(astuple(self), separators=(",", ":"))


def is_gone(token: str) -> bool:
    """Whether the process with this token is certainly gone; False if it lives or nobody can tell."""
    process = ProcessIdentity.parse(token)
    if process is None:
        return False
    host, boot, namespace = _machine_identity(PROC)
    if process.host != host:
        return False
    if process.boot != boot:
        # A machine that was started again took its processes with it. Without both boot ids: no telling.
        return bool(process.boot and boot)
    if process.namespace != namespace:
        return False
    state, started = _stat(process.pid)
    if state in _DEAD_STATES:
        return True
    if started and process.started:
        return started != process.started
    return _is_absent(process.pid)


def lives(token: str) -> bool:
    """Whether the process with this token certainly lives; False if it is gone or nobody can tell."""
    process = ProcessIdentity.parse(token)
    if process is None:
        return False
    here = (process.host, process.boot, process.namespace) == _machine_identity(PROC)
    return here and not is_gone(token)


@cache
def _machine_identity(proc: Path) -> tuple[str, str, str]:
    """Host, boot id and pid namespace: the same for the whole life of a process."""
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
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
