"""Files and folders that are one user's alone, by owner and permission bits where a system has them.

Windows has access lists instead, which are not read here: what lies in the user's profile is theirs by them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from blikk_payments.system import PLATFORM
from blikk_payments.system.folders import from_home

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
_GROUP_AND_OTHERS = 0o077


def bits_of_others(found: os.stat_result, platform: str = PLATFORM) -> int:
    """The permission bits that group and others have. On Windows, where everything says 0777, nobody can tell: 0."""
    return 0 if platform == "win32" else found.st_mode & _GROUP_AND_OTHERS


def is_unguarded(path: Path, platform: str = PLATFORM) -> bool:
    """Whether others may get at a file and nothing here would tell: on Windows, outside the user's own folder."""
    return platform == "win32" and not path.absolute().is_relative_to(from_home("~"))


def own_user() -> int:
    """Whose files are ours. On Windows every file's `st_uid` is 0, and so is this."""
    return 0 if sys.platform == "win32" else os.geteuid()


def create_private(path: Path) -> None:
    """Create an empty file that only we can read; its name is durable afterwards.

    Raises:
        FileExistsError: there is something of that name, be it a symbolic link.
        OSError: it cannot be created.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    try:
        # The umask may have taken away even the owner's rights.
        os.chmod(descriptor if os.chmod in os.supports_fd else path, PRIVATE_FILE)
    finally:
        os.close(descriptor)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return  # a folder cannot be opened there; NTFS keeps names in a journal
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
