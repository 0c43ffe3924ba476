"""Identify the sender of a payment, so that another process can tell whether it exited.

A pid alone proves nothing: pids are reused, and a container or another machine has its own. So a process is
named by host, boot, pid namespace, pid and start time, and called gone only where that leaves no doubt.
"""

from __future__ import annotations

import json
import os
from dataclasses import astuple, dataclass
from typing import Any

from blikk_payments.system.processes import look_at, machine_identity


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
        host, boot, namespace = machine_identity()
        return cls(host=host, boot=boot, namespace=namespace, pid=pid, started=look_at(pid).started)

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
    host, boot, namespace = machine_identity()
    if process.host != host:
        return False
    if process.boot != boot:
        # A machine that was started again took its processes with it. Without both boot ids: no telling.
        return bool(process.boot and boot)
    if process.namespace != namespace:
        return False
    seen = look_at(process.pid)
    return seen.is_gone or bool(seen.started and process.started and seen.started != process.started)


def lives(token: str) -> bool:
    """Whether the process with this token certainly lives; False if it is gone or nobody can tell."""
    process = ProcessIdentity.parse(token)
    if process is None:
        return False
    here = (process.host, process.boot, process.namespace) == machine_identity()
    return here and not is_gone(token)
