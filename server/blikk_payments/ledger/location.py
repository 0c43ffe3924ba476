"""Which ledger a setting means. Loaded before anything slow is."""

from __future__ import annotations

from pathlib import Path

POSTGRES_SCHEMES = frozenset({"postgresql", "postgres"})


def ledger_file(text: str) -> Path:
    """The file that a setting names: one and the same in whatever folder a process was started.

    Raises:
        ValueError: it does not name one, for the person who set it.
    """
    scheme, separator, _ = text.partition("://")
    if separator and scheme.lower() in POSTGRES_SCHEMES:
        raise ValueError("needs the PostgreSQL ledger: install `blikk-mcp[postgres]`, in a version that has it")
    path = _from_home(text) if text.startswith("~") else Path(text)
    if not path.is_absolute():
        raise ValueError("must be an absolute path, or one from `~`: every process has to find the same ledger")
    return path


def state_home(xdg_state_home: str) -> Path:
    """The user's folder for what programs keep.

    Raises:
        ValueError: there is no home folder.
    """
    given = Path(xdg_state_home)
    return given if given.is_absolute() else _from_home("~") / ".local" / "state"


def _from_home(text: str) -> Path:
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise ValueError("has no such home folder to start from: set it to an absolute path") from None
    if not path.is_absolute():
        raise ValueError("has a home folder that is no absolute path: set it to an absolute path")
    return path
