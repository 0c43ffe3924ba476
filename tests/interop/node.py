"""Support: clients from npm, installed on first use, and the server's command as such a client starts it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import pytest

HERE = Path(__file__).parent
PACKAGES = HERE / "package.json"
INSTALLED = HERE / "node_modules"
STAMP = INSTALLED / ".installed-from"

INSTALL_SECONDS = 420
RUN_SECONDS = 120

SERVER = str(Path(sysconfig.get_path("scripts")) / "blikk-mcp")


class Node:
    """Runs a program from npm in a process of its own, without our settings."""

    def __init__(self, program: str) -> None:
        self._program = program

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """The program's end, whatever its exit code; `settings` are environment variables."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("BLIKK_")}
        return subprocess.run(
            [self._program, *arguments],
            env={**own, **settings},
            cwd=HERE,
            capture_output=True,
            encoding="utf-8",
            timeout=RUN_SECONDS,
            check=False,
        )

    def answer(self, *arguments: str, **settings: str) -> dict[str, Any]:
        """The JSON that the program writes to stdout, after it ended well."""
        ended = self.run(*arguments, **settings)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)


def installed_node() -> Node:
    """Node.js with the packages of `package.json` in place; without them the test is skipped, and fails in CI."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        _unavailable("there is no Node.js with npm here")
    wanted = PACKAGES.read_text(encoding="utf-8")
    if not STAMP.exists() or STAMP.read_text(encoding="utf-8") != wanted:
        _install(npm)
        STAMP.write_text(wanted, encoding="utf-8")
    return Node(node)


def result_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """A tool's structured result, after checking that the text half says the same and that `isError` is honest."""
    result: dict[str, Any] = answer["structuredContent"]
    (text,) = answer["content"]
    assert json.loads(text["text"]) == result
    assert answer["isError"] is bool(result["error_code"])
    return result


def _install(npm: str) -> None:
    # No package runs a script of its own on this machine; none of them needs to.
    command = [npm, "install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
    shutil.rmtree(INSTALLED, ignore_errors=True)
    try:
        ended = subprocess.run(
            command, cwd=HERE, capture_output=True, encoding="utf-8", timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        _unavailable(f"npm install did not end within {INSTALL_SECONDS} s")
    if ended.returncode != 0:
        codes = [line for line in ended.stderr.splitlines() if line.startswith("npm error code")]
        _unavailable(f"npm install failed: {'; '.join(codes) or f'exit code {ended.returncode}'}")


def _unavailable(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
