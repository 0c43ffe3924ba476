"""What a client's own file would give the server, whole: command, variables as that client fills them in, and secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from blikk_mcp.commands.client_settings import given_by
from blikk_mcp.commands.clients import CLIENTS

SHELL = {"SET": "there", "BLIKK_LANGUAGE": "is", "NOT_HANDED_ON": "x"}


def in_json(client: str, name: str, **variables: str) -> str:
    """A file with our server and these variables."""
    return json.dumps({CLIENTS[client].place[0]: {"blikk": {"command": "/b", "args": ["serve"], name: variables}}})


GOOSE = """
extensions:
  blikk:
    cmd: /b
    args: [serve]
    envs: {"A": "$SET"}
    env_keys: ["BLIKK_API_KEY"]
"""
CODEX = """
[mcp_servers.blikk]
command = "/b"
args = ["serve"]
env_vars = ["BLIKK_LANGUAGE", { name = "SET" }, "UNSET"]
env = { A = "b", BLIKK_LANGUAGE = "en" }
"""
CONTINUE = """
mcpServers:
  - name: other
    command: x
  - name: blikk
    command: /b
    args: ["serve"]
    env:
      A: ${{ secrets.BLIKK_API_KEY }}
      B: $SET
"""
GIVEN: dict[str, tuple[str, dict[str, str], set[str]]] = {
    "claude-code": (
        in_json("claude-code", "env", A="${SET}", B="${UNSET}", C="${UNSET:-usual}", D="${SET:-usual}", E="$SET"),
        {"A": "there", "B": "${UNSET}", "C": "usual", "D": "there", "E": "$SET"},
        set(),
    ),
    "claude-desktop": (in_json("claude-desktop", "env", A="${SET}"), {"A": "${SET}"}, set()),
    "cursor": (
        in_json("cursor", "env", A="${env:SET}-x", B="${env:UNSET}", C="${SET}"),
        {"A": "there-x", "B": "${env:UNSET}", "C": "${SET}"},
        set(),
    ),
    "windsurf": (
        in_json("windsurf", "env", A="${env:SET}", B="${env:UNSET}"),
        {"A": "there", "B": "${env:UNSET}"},
        set(),
    ),
    "vscode": (
        in_json("vscode", "env", A="${env:SET}", BLIKK_API_KEY="${input:blikk-key}"),
        {"A": "there"},
        {"BLIKK_API_KEY"},
    ),
    "gemini": (
        in_json("gemini", "env", A="$SET", B="${SET}", C="$UNSET", D="x$UNSET"),
        {"A": "there", "B": "there", "D": "x"},
        set(),
    ),
    "opencode": (
        json.dumps(
            {"mcp": {"blikk": {"command": ["/b", "serve"], "environment": {"A": "{env:SET}", "B": "{env:UNSET}"}}}}
        ),
        {"A": "there"},
        set(),
    ),
    "zed": (in_json("zed", "env", A="$SET"), {"A": "$SET"}, set()),
    "cline": (in_json("cline", "env", A="b"), {"A": "b"}, set()),
    "goose": (GOOSE, {"A": "$SET"}, {"BLIKK_API_KEY"}),
    "codex": (CODEX, {"BLIKK_LANGUAGE": "en", "SET": "there", "A": "b"}, set()),
    "continue": (CONTINUE, {"B": "$SET"}, {"A"}),
}
"""By client: its file, the environment that the server is given, and what the client keeps to itself."""


@pytest.mark.parametrize("client", GIVEN)
def test_a_client_gives_what_its_file_says(client: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each client's own documentation: what is filled in, what a variable that is not set becomes, what is handed on."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    text, environment, kept = GIVEN[client]
    file = CLIENTS[client].paths("linux", {})[0]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    given = given_by(client, "linux", SHELL)
    told: tuple[Any, ...] = (given.file, given.command, given.environment, set(given.kept))
    assert told == (file, ["/b", "serve"], environment, kept)
