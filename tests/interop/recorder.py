"""Support: the server as a command that records what passes in either direction, one pair of files a process."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from tests.interop.node import SERVER

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"


def recorded_server(folder: Path) -> str:
    """A command that does what the server's does, and leaves its records in `folder`."""
    recorder = folder / "recorded-server"
    recorder.write_text(
        f'#!/bin/sh\ntee -a "{folder}/from.$$" | "{SERVER}" "$@" | tee -a "{folder}/to.$$"\n', encoding="utf-8"
    )
    recorder.chmod(stat.S_IRWXU)
    return str(recorder)


def asked(folder: Path) -> list[dict[str, Any]]:
    """What clients sent, process by process."""
    files = sorted(folder.glob("from.*"))
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def revision_spoken(folder: Path) -> str:
    """The protocol revision in which a client called a tool."""
    negotiated = ""
    for message in asked(folder):
        params: dict[str, Any] = message.get("params") or {}
        if message.get("method") == "initialize":
            negotiated = params["protocolVersion"]
        if message.get("method") == "tools/call":
            meta: dict[str, Any] = params.get("_meta") or {}
            return str(meta.get(VERSION_KEY, negotiated))
    raise AssertionError("no tool was called")
