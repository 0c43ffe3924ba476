"""Writes the front door's file of answers: what the SDK's server says, for every revision and every setting it depends on.

`docs/generate.py` runs it, that is `make docs`; with `--check` it fails if the server says something else by now.
"""

from __future__ import annotations

import json
import tempfile
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
from mcp.shared.message import SessionMessage

from blikk_mcp import __version__
from blikk_mcp.app import running_app
from blikk_mcp.redaction.redactor import Redactor
from blikk_mcp.settings.door import DoorSettings
from blikk_mcp.settings.settings import read_settings
from blikk_mcp.transports.front_door import ANSWERS, HANDSHAKE, MODERN
from blikk_mcp.transports.plain import CAPABILITIES_KEY, CLIENT_KEY, VERSION_KEY
from blikk_mcp.transports.stdio import line_of

LIMIT_SECONDS = 20
CLIENT = {"name": "docs", "version": "1"}
ENVELOPE = {"_meta": {VERSION_KEY: MODERN, CLIENT_KEY: CLIENT, CAPABILITIES_KEY: {}}}

Answers = dict[str, Any]


def answers() -> str:
    """The file as it should be."""
    by_settings = {settings.name: anyio.run(_all_answers, settings) for settings in every_setting()}
    results: list[Any] = []
    texts: dict[str, int] = {}
    places: dict[str, dict[str, int]] = {}
    for name, by_question in by_settings.items():
        places[name] = {}
        for question, result in by_question.items():
            text = json.dumps(result)
            if text not in texts:
                texts[text] = len(results)
                results.append(result)
            places[name][question] = texts[text]
    versions = {"blikk-mcp": __version__, "mcp": version("mcp"), "mcp_types": version("mcp_types")}
    stored = {"versions": versions, "answers": places, "results": results}
    return json.dumps(stored, indent=1, ensure_ascii=False) + "\n"


def every_setting() -> list[DoorSettings]:
    """Every combination that an answer depends on."""
    return [
        DoorSettings(read_only=read_only, always_load=always_load)
        for read_only, always_load in product((False, True), repeat=2)
    ]


async def _all_answers(settings: DoorSettings) -> Answers:
    found: Answers = {}
    for connection in connections():
        for (method, params), line in zip(connection, await ask(settings, connection), strict=True):
            found[question(method, params, connection)] = json.loads(line)["result"]
    return found


def connections() -> list[list[tuple[str, dict[str, Any]]]]:
    """What a client asks the door in every revision."""
    handshake = [{"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT} for version in HANDSHAKE]
    modern = [[(method, ENVELOPE)] for method in ("server/discover", "tools/list")]
    return [*([("initialize", params), ("tools/list", {})] for params in handshake), *modern]


def question(method: str, params: dict[str, Any], connection: list[tuple[str, dict[str, Any]]]) -> str:
    """What an answer is filed under: the method and the revision."""
    return f"{method} {MODERN if params is ENVELOPE else connection[0][1]['protocolVersion']}"


async def ask(settings: DoorSettings, requests: list[tuple[str, dict[str, Any]]]) -> list[bytes]:
    """The lines that the SDK's server answers with on one connection, to requests whose ids count from 1."""
    lines: list[bytes] = []
    with tempfile.TemporaryDirectory() as folder:
        environ = {
            "BLIKK_API_KEY": "3q8Wz-no-key-of-anybody",
            "BLIKK_LEDGER": str(Path(folder) / "ledger.sqlite3"),
            "BLIKK_READ_ONLY": str(settings.read_only),
            "BLIKK_ALWAYS_LOAD": str(settings.always_load),
        }
        to_server, received = anyio.create_memory_object_stream[SessionMessage | Exception](1)
        to_client, answered = anyio.create_memory_object_stream[SessionMessage](1)
        with anyio.fail_after(LIMIT_SECONDS):
            async with (
                running_app(read_settings(environ), Redactor([])) as server,
                anyio.create_task_group() as tasks,
                to_server,
                answered,
            ):
                tasks.start_soon(server.run, received, to_client, server.create_initialization_options())
                for number, (method, params) in enumerate(requests, start=1):
                    request = types.JSONRPCRequest(jsonrpc="2.0", id=number, method=method, params=params)
                    await to_server.send(SessionMessage(request))
                    lines.append(line_of(await answered.receive(), str))
                tasks.cancel_scope.cancel()
    return lines


def is_written(*, check: bool) -> bool:
    """Write the file if it differs from what the server says, or only say whether it does not."""
    path, text = Path(ANSWERS), answers()
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return True
    if not check:
        path.write_text(text, encoding="utf-8")
    return not check
