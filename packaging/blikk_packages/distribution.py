"""The wheel and the sdist: built, looked into, and installed where nothing else is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blikk_packages.product import ROOT

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
RUN_SECONDS = 300
PACKAGES = ("blikk_mcp", "blikk_payments", "blikk_sandbox", "blikk_tools")
SDIST = frozenset(
    {
        ".gitignore",
        "CHANGELOG.md",
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "SECURITY.md",
        "pyproject.toml",
        "server",
        "tools",
    }
)
MAX_WHEEL_BYTES = 1024 * 1024
UV = str(Path(sysconfig.get_path("scripts")) / "uv")


class StepFailed(Exception):
    """Something that a release needs is not so. The text says what."""


@dataclass(frozen=True)
class Built:
    """What a release hands out."""

    wheel: Path
    sdist: Path


def build(folder: Path) -> Built:
    """Build both, with the build backend that is installed here: nothing is fetched.

    Raises:
        StepFailed: it does not build, or not to one of each.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("*.whl"), *folder.glob("*.tar.gz")):
        old.unlink()
    run([sys.executable, "-m", "hatchling", "build", "-d", str(folder)], cwd=ROOT)
    wheels, sdists = list(folder.glob("*.whl")), list(folder.glob("*.tar.gz"))
    if len(wheels) != 1 or len(sdists) != 1:
        raise StepFailed(f"built {len(wheels)} wheels and {len(sdists)} sdists")
    return Built(wheels[0], sdists[0])


def strangers_in(built: Built) -> list[str]:
    """What is in the wheel or the sdist and should not be: tests, evaluations, examples, other people's frameworks."""
    with zipfile.ZipFile(built.wheel) as wheel:
        names = wheel.namelist()
        requirements = [
            line
            for name in names
            if name.endswith(".dist-info/METADATA")
            for line in wheel.read(name).decode("utf-8").splitlines()
            if line.startswith("Requires-Dist:") and "extra ==" not in line
        ]
    known = re.compile(rf"({'|'.join(PACKAGES)})/|blikk_mcp-[^/]+\.dist-info/")
    found = [name for name in names if not known.match(name) or "/tests/" in name]
    needs = {match[1] for line in requirements if (match := re.match(r"Requires-Dist: ([A-Za-z0-9._-]+)", line))}
    found += sorted(needs - wanted_at_run_time())
    with tarfile.open(built.sdist) as sdist:
        tops = {name.split("/")[1] for name in sdist.getnames() if "/" in name}
    found += sorted(tops - SDIST)
    if built.wheel.stat().st_size > MAX_WHEEL_BYTES:
        found.append(f"{built.wheel.stat().st_size} bytes")
    return found


def wanted_at_run_time() -> set[str]:
    """The dependencies that the architecture's decisions name; another one needs a decision first."""
    return {"mcp", "httpx", "pydantic", "anyio", "python-stdnum", "segno", "rich"}


def pythons() -> dict[str, Path]:
    """Every Python from 3.11 to 3.14 that there is here, by its version."""
    found: dict[str, Path] = {}
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    for version in PYTHONS:
        installed = sorted(pyenv.glob(f"{version}.*/bin/python3"))
        beside = shutil.which(f"python{version}")
        if installed:
            found[version] = installed[-1]
        elif beside and _is(beside, version):
            found[version] = Path(beside)
    running = "{}.{}".format(*sys.version_info)
    return found if running in found or running not in PYTHONS else {running: Path(sys.executable), **found}


def _is(python: str, version: str) -> bool:
    """Whether it runs and is of that version: a shim on the PATH may be of none."""
    asked = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    ended = subprocess.run(asked, capture_output=True, encoding="utf-8", timeout=RUN_SECONDS, check=False)
    return ended.returncode == 0 and ended.stdout.strip() == version


def installed_in(python: Path, artefact: Path, folder: Path) -> Path:
    """A fresh environment with the artefact and what the lock pins, and nothing else; the path of its programs.

    Raises:
        StepFailed: it does not install.
    """
    run([UV, "venv", "--quiet", "--clear", "--python", str(python), str(folder)])
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    lock = ["--constraint", str(ROOT / "requirements.lock")]
    run([UV, "pip", "install", "--quiet", "--python", str(programs / "python"), *lock, str(artefact)])
    return programs


def run(command: Sequence[str], *, cwd: Path | None = None, environ: dict[str, str] | None = None) -> str:
    """What a command prints to stdout.

    Raises:
        StepFailed: it ends with another exit code than 0, with the last lines of what it said.
    """
    ended = subprocess.run(
        list(command),
        cwd=cwd,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=RUN_SECONDS,
        check=False,
    )
    if ended.returncode != 0:
        said = "\n".join((ended.stdout + ended.stderr).splitlines()[-15:])
        raise StepFailed(f"{Path(command[0]).name} {' '.join(command[1:4])} … ended with {ended.returncode}:\n{said}")
    return ended.stdout
