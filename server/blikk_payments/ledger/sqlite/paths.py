"""Make sure that nobody else can read, write or swap the ledger's file."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from blikk_payments.errors import LedgerUnavailable
from blikk_payments.system.private import PRIVATE_FOLDER, bits_of_others, create_private, own_user

Identity = tuple[int, int]
"""Device and inode of a file."""

_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def secure_file(path: Path) -> Identity:
    """Create or check the ledger's file (0600) and folder (0700); the file's device and inode.

    An existing file is never opened here: closing a second descriptor would drop SQLite's POSIX locks on it.

    Raises:
        LedgerUnavailable: others could write, read or swap it.
    """
    try:
        _secure_folder(path.parent)
        with suppress(FileExistsError):
            create_private(path)
        return _check_file(path)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "input/output error"
        raise LedgerUnavailable(
            f"The ledger cannot be opened or created: {reason}. Check its folder's permissions and the disk."
        ) from error


def log_path(path: Path) -> Path:
    """Where SQLite keeps the write-ahead log of a file."""
    return path.with_name(f"{path.name}-wal")


def file_identity(path: Path) -> Identity | None:
    """Device and inode of the file now under this path; None if there is none."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _secure_folder(folder: Path) -> None:
    missing = [level for level in (folder, *folder.parents) if not level.exists()]
    for level in reversed(missing):
        level.mkdir(PRIVATE_FOLDER, exist_ok=True)
        # `mkdir` obeys the umask, which may take away even the owner's rights.
        level.chmod(PRIVATE_FOLDER)
    found = folder.stat()
    if bits_of_others(found) & _WRITABLE_BY_OTHERS:
        raise LedgerUnavailable(
            "The ledger's folder can be written by others, who could swap the ledger. Run chmod go-w on it."
        )
    if found.st_uid not in _trusted():
        raise LedgerUnavailable(
            "The ledger's folder belongs to another user, who could swap the ledger. Use one of your own, or run chown."
        )
    _check_parent_folders(folder.absolute())


def _check_parent_folders(folder: Path) -> None:
    """Reject paths that another user can redirect: a swapped ledger allows paying twice."""
    for level in (folder, *folder.parents):
        if level.is_symlink() and level.lstat().st_uid not in _trusted():
            raise LedgerUnavailable(
                "The way to the ledger leads over another user's symbolic link. Name the folder itself."
            )
    for above in folder.resolve().parents:
        found = above.stat()
        if bits_of_others(found) & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
            raise LedgerUnavailable(
                "A folder above the ledger's can be written by everybody, who could swap the ledger. Run chmod o-w on it."
            )


def _trusted() -> tuple[int, int]:
    """Who can do as they like with the ledger anyway: its owner, and root."""
    return own_user(), 0


def _check_file(path: Path) -> Identity:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise LedgerUnavailable("The ledger is a symbolic link. Name the file itself.")
    if not stat.S_ISREG(found.st_mode):
        raise LedgerUnavailable("The ledger is not a regular file.")
    if found.st_uid != own_user():
        raise LedgerUnavailable("The ledger belongs to another user. Run as its owner, or give it back with chown.")
    if for_others := bits_of_others(found):
        path.chmod(stat.S_IMODE(found.st_mode) & ~for_others)
    return found.st_dev, found.st_ino
