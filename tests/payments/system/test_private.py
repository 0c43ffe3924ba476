"""Private files, and what permission bits tell of them."""

from __future__ import annotations

import os
import stat
from functools import partial
from pathlib import Path

import pytest

from blikk_mcp.settings.values import profile_notice
from blikk_payments.errors import LedgerUnavailable
from blikk_payments.ledger.sqlite import paths
from blikk_payments.ledger.sqlite.paths import secure_file
from blikk_payments.system.private import bits_of_others, create_private


def test_permission_bits_tell_nothing_on_windows(tmp_path: Path) -> None:
    """There every folder says 0777 and every file 0666; by these no ledger could be opened."""
    tmp_path.chmod(0o777)
    assert bits_of_others(tmp_path.stat(), "win32") == 0
    assert [bits_of_others(tmp_path.stat(), platform) for platform in ("linux", "darwin")] == [0o077, 0o077]


def test_a_ledger_is_opened_where_permission_bits_tell_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder says 0777, as all do on Windows. A link is refused there, too."""
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(LedgerUnavailable, match="can be written by others"):
        secure_file(folder / "ledger.sqlite3")
    monkeypatch.setattr(paths, "bits_of_others", partial(bits_of_others, platform="win32"))
    secure_file(folder / "ledger.sqlite3")
    (folder / "link.sqlite3").symlink_to(folder / "ledger.sqlite3")
    with pytest.raises(LedgerUnavailable, match="symbolic link"):
        secure_file(folder / "link.sqlite3")


@pytest.mark.parametrize("takes_descriptors", [True, False], ids=["by its descriptor", "by its path, as on Windows"])
def test_a_private_file_is_its_owners_whatever_the_umask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, takes_descriptors: bool
) -> None:
    """Windows changes no mode by a descriptor before Python 3.13."""
    if not takes_descriptors:
        monkeypatch.setattr(os, "supports_fd", os.supports_fd - {os.chmod})
    before = os.umask(0o777)
    try:
        create_private(tmp_path / "file")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


def test_a_link_that_waits_under_the_name_is_not_followed(tmp_path: Path) -> None:
    """POSIX, open(2): with O_CREAT and O_EXCL a symbolic link is something of that name, wherever it leads."""
    (tmp_path / "file").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        create_private(tmp_path / "file")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("platform", "inside", "noticed"),
    [("win32", True, False), ("win32", False, True), ("linux", False, False), ("darwin", False, False)],
)
def test_a_file_outside_the_profile_is_noticed_on_windows(
    platform: str, inside: bool, noticed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There `C:\\ledger` may be everybody's. A database is no file, and no key file is none."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    file = tmp_path / ("home" if inside else "elsewhere") / "ledger.sqlite3"
    assert bool(profile_notice("BLIKK_LEDGER", file, platform)) is noticed
    assert profile_notice("BLIKK_LEDGER", "postgresql://blikk@localhost/ledger", platform) == ""
    assert profile_notice("BLIKK_API_KEY_FILE", None, platform) == ""
    monkeypatch.setenv("HOME", "relative")
    assert bool(profile_notice("BLIKK_LEDGER", file, platform)) is (platform == "win32")


def test_the_name_of_a_private_file_is_on_the_disk_when_it_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux, fsync(2): a file that is synced needs its folder synced too, or it can be gone after a power cut."""
    synced: list[tuple[int, bool]] = []

    def fsync(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_ino, (tmp_path / "file").exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    create_private(tmp_path / "file")
    assert synced == [(tmp_path.stat().st_ino, True)]
    if before:
        assert len(os.listdir("/proc/self/fd")) == before
