"""Support: the examples' own environments, made from their locks on first use and anew when a lock changes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.missing import unavailable

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "agent_examples"
INSTALL_SECONDS = 420
RUN_SECONDS = 240


def python_of(name: str) -> str:
    """The Python of the example's environment; the test is skipped where that cannot be made, and fails in CI."""
    lock = EXAMPLES / f"requirements-{name}.lock"
    folder = ROOT / f".venv-examples-{name}"
    python, stamp = folder / "bin" / "python", folder / ".installed-from"
    # Workers of one test run share the folder: the first installs, the others wait for it.
    with lock.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        wanted = hashlib.sha256(file.read()).hexdigest()
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            _install(folder, python, lock)
            stamp.write_text(wanted)
    return str(python)


def run(*command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """An example as a user starts it, without a model's key and without our settings."""
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("BLIKK_") and not name.endswith("_API_KEY")
    }
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**own, "PYTHONIOENCODING": "utf-8", **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=RUN_SECONDS,
        check=False,
    )


def _install(folder: Path, python: Path, lock: Path) -> None:
    uv = str(Path(sysconfig.get_path("scripts")) / "uv")
    for command in (
        [sys.executable, "-m", "venv", "--without-pip", str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(python), "--require-hashes", "-r", str(lock)],
    ):
        try:
            ended = subprocess.run(command, capture_output=True, timeout=INSTALL_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            unavailable(f"{lock.name} could not be installed: {type(error).__name__}")
        if ended.returncode != 0:
            unavailable(f"{lock.name} could not be installed: exit code {ended.returncode}")
