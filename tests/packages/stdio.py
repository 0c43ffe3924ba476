"""Support: a host that starts a server by its command, asks for the tools, and hangs up; and a bare machine to do it on."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from blikk_packages.distribution import UV

START_SECONDS = 300
"""A first start may have to fetch every dependency."""

OURS = ("BLIKK_", "PYTHON", "VIRTUAL_ENV", "XDG_", "PYTEST", "PIPX_")

OPENING: Sequence[Mapping[str, Any]] = (
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "host", "version": "1"}},
    },
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
)


def bare_machine(home: Path) -> dict[str, str]:
    """An empty home and nothing of ours, but this machine's way into the network and what was fetched before."""
    home.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**kept, "HOME": str(home), "USERPROFILE": str(home), "UV_CACHE_DIR": _cache(), "PYTHONUTF8": "1"}


@cache
def _cache() -> str:
    return subprocess.run([UV, "cache", "dir"], capture_output=True, encoding="utf-8", check=True).stdout.strip()


def answers(command: Sequence[str], environ: Mapping[str, str], *more: Mapping[str, Any]) -> dict[int, Any]:
    """What a server answers to the opening and whatever comes after it, by id, until the host hangs up."""
    lines = "".join(json.dumps(message) + "\n" for message in (*OPENING, *more))
    ended = subprocess.run(
        list(command),
        env=dict(environ),
        input=lines,
        capture_output=True,
        encoding="utf-8",
        timeout=START_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    received = [json.loads(line) for line in ended.stdout.splitlines()]
    return {message["id"]: message["result"] for message in received if "id" in message}


def tools_of(answered: Mapping[int, Any]) -> list[str]:
    """The names in the answer to `tools/list`."""
    return [tool["name"] for tool in answered[2]["tools"]]
