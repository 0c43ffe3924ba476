"""Support: clients from npm, and the server's command as such a client starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.npm import node_with

HERE = Path(__file__).parent
INSTALLED = HERE / "node_modules"

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
    """Node.js with the packages of `package.json` in place."""
    return Node(node_with(HERE))


def result_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """A tool's structured result, after checking that the text half says the same and that `isError` is honest."""
    result: dict[str, Any] = answer["structuredContent"]
    (text,) = answer["content"]
    assert json.loads(text["text"]) == result
    assert answer["isError"] is bool(result["error_code"])
    return result
