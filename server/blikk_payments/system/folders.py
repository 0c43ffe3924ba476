"""The folder in which a user's programs keep their data, on each system."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from blikk_payments.system import PLATFORM


def state_home(environ: Mapping[str, str], platform: str = PLATFORM) -> Path:
    """The user's folder for what programs keep.

    On macOS `XDG_STATE_HOME` does not count: a shell may have it and a client with a window has not, and the two would
    keep two ledgers.

    Raises:
        ValueError: there is no home folder.
    """
    if platform == "win32":
        return _named(environ, "LOCALAPPDATA") or from_home("~") / "AppData" / "Local"
    if platform == "darwin":
        return from_home("~") / "Library" / "Application Support"
    return _xdg_state_home(environ)


def earlier_state_home(environ: Mapping[str, str], platform: str = PLATFORM) -> Path | None:
    """Where the first versions kept a ledger on macOS, which must not be forgotten there.

    Raises:
        ValueError: there is no home folder.
    """
    return _xdg_state_home(environ) if platform == "darwin" else None


def from_home(text: str) -> Path:
    """An absolute path of one that starts with `~`.

    Raises:
        ValueError: nobody has that home.
    """
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise ValueError("has no such home folder to start from: set it to an absolute path") from None
    if not path.is_absolute():
        raise ValueError("has a home folder that is no absolute path: set it to an absolute path")
    return path


def _xdg_state_home(environ: Mapping[str, str]) -> Path:
    return _named(environ, "XDG_STATE_HOME") or from_home("~") / ".local" / "state"


def _named(environ: Mapping[str, str], name: str) -> Path | None:
    """The folder that a variable names; None if it is no absolute path."""
    path = Path(environ.get(name, ""))
    return path if path.is_absolute() else None
