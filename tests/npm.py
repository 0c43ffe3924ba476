"""Support: packages from npm, installed on first use and anew when their `package.json` changes."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

from tests.missing import unavailable

INSTALL_SECONDS = 420


def node_with(folder: Path) -> str:
    """Node.js, once the packages of `folder` are in its `node_modules`; the test is skipped where that fails."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        unavailable("there is no Node.js with npm here")
    packages, installed = folder / "package.json", folder / "node_modules"
    stamp = installed / ".installed-from"
    # Workers of one test run share the folder: the first installs, the others wait for it.
    with packages.open(encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        wanted = file.read()
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
            shutil.rmtree(installed, ignore_errors=True)
            _install(npm, folder)
            stamp.write_text(wanted, encoding="utf-8")
    return node


def _install(npm: str, folder: Path) -> None:
    # No package runs a script of its own on this machine; none of them needs to.
    command = [npm, "install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        ended = subprocess.run(
            command, cwd=folder, capture_output=True, encoding="utf-8", timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        unavailable(f"npm install did not end within {INSTALL_SECONDS} s")
    if ended.returncode != 0:
        codes = [line for line in ended.stderr.splitlines() if line.startswith("npm error code")]
        unavailable(f"npm install failed: {'; '.join(codes) or f'exit code {ended.returncode}'}")
