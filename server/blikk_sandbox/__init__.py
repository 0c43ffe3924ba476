"""A stand-in for Blikk's Payment Channel API: the API, the bank's page, faults on demand. No money moves.

Importing the package loads nothing else; the names below are loaded when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blikk_sandbox.app import create_app as create_app
    from blikk_sandbox.running import RunningSandbox as RunningSandbox
    from blikk_sandbox.running import run_sandbox as run_sandbox
    from blikk_sandbox.running import run_sandbox_in_thread as run_sandbox_in_thread

_HOME = {
    "create_app": "blikk_sandbox.app",
    "RunningSandbox": "blikk_sandbox.running",
    "run_sandbox": "blikk_sandbox.running",
    "run_sandbox_in_thread": "blikk_sandbox.running",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
