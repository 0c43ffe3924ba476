"""Where the ledger's file lies, and that nobody else can read, write or swap it."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from blikk_payments.channel.links import is_loopback
from blikk_payments.errors import LedgerUnavailable

Identity = tuple[int, int]
"""Device and inode of a file."""

_DEFAULT_PORTS = {"https": 443, "http": 80}
_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
_WRITABLE_BY_OTHERS, _ANYTHING_FOR_OTHERS = 0o022, 0o077


def default_ledger_path(base_url: str, state_home: Path) -> Path:
    """One file per base URL, so that sandbox and production never mix."""
    host = urlsplit(base_url.strip()).hostname or ""
    readable = re.sub(r"[^a-z0-9.-]+", "-", host) or "host"
    short = hashlib.sha256(_normalised(base_url).encode()).hexdigest()[:8]
    return state_home / "blikk-mcp" / f"ledger-{readable}-{short}.sqlite3"


def blikk_of(base_url: str) -> str:
    """Which Blikk a base URL leads to: a ledger's first payment ties it to one, so that a file that was named mixes none.

    All of this machine is one: a sandbox has another port every time.
    """
    return "loopback" if is_loopback(base_url.strip()) else _normalised(base_url)


def _normalised(base_url: str) -> str:
    parts = urlsplit(base_url.strip())
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    port = parts.port or _DEFAULT_PORTS.get(scheme, 0)
    return f"{scheme}://{host}:{port}{parts.path.rstrip('/')}"


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
    missing: list[Path] = []
    level = folder
    while not level.exists():
        missing.append(level)
        level = level.parent
    for level in reversed(missing):
        level.mkdir(_PRIVATE_FOLDER, exist_ok=True)
        # `mkdir` obeys the umask, which may take away even the owner's rights.
        level.chmod(_PRIVATE_FOLDER)
    found = folder.stat()
    if found.st_mode & _WRITABLE_BY_OTHERS:
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
        mode = above.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise LedgerUnavailable(
                "A folder above the ledger's can be written by everybody, who could swap the ledger. Run chmod o-w on it."
            )


def _trusted() -> tuple[int, int]:
    """Who can do as they like with the ledger anyway: its owner, and root."""
    return os.geteuid(), 0


def create_private(path: Path) -> None:
    """Create an empty file that only we can read; its name is durable afterwards.

    Raises:
        FileExistsError: there is something of that name.
        OSError: it cannot be created.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, _PRIVATE_FILE)
    try:
        os.fchmod(descriptor, _PRIVATE_FILE)
    finally:
        os.close(descriptor)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _check_file(path: Path) -> Identity:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise LedgerUnavailable("The ledger is a symbolic link. Name the file itself.")
    if not stat.S_ISREG(found.st_mode):
        raise LedgerUnavailable("The ledger is not a regular file.")
    if found.st_uid != os.geteuid():
        raise LedgerUnavailable("The ledger belongs to another user. Run as its owner, or give it back with chown.")
    if found.st_mode & _ANYTHING_FOR_OTHERS:
        path.chmod(stat.S_IMODE(found.st_mode) & ~_ANYTHING_FOR_OTHERS)
    return found.st_dev, found.st_ino
