"""`blikk-mcp config`: a snippet for a client that holds no key, and is the README's."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from blikk_mcp.commands.config import CLIENTS
from tests.server.test_commands import blikk_mcp

README = (Path(__file__).parents[2] / "README.md").read_text()
KEY = "config-canary-key-0123456789"


@pytest.mark.parametrize("client", sorted(CLIENTS))
def test_a_snippet_holds_no_key(client: str) -> None:
    """Ours: a configuration file is no place for a secret."""
    ended = blikk_mcp("config", client, environ={"BLIKK_API_KEY": KEY})
    assert ended.returncode == 0
    assert KEY not in ended.stdout + ended.stderr
    assert "BLIKK_API_KEY" in ended.stdout


@pytest.mark.parametrize("client", ["claude-code", "claude-desktop", "cursor", "vscode"])
def test_the_readmes_snippet_is_the_commands(client: str) -> None:
    """Ours: two texts on one thing must not drift apart."""
    ours = json.loads(CLIENTS[client]()[1])
    blocks: list[Any] = [json.loads(block.partition("```")[0]) for block in README.split("```json\n")[1:]]
    placeholder = ours.get("mcpServers", {}).get("blikk", {}).get("env", {})
    if "BLIKK_API_KEY_FILE" in placeholder:
        placeholder["BLIKK_API_KEY_FILE"] = "/home/you/.blikk-key"
    assert ours in blocks


def test_the_readmes_codex_table_is_the_commands() -> None:
    """Ours: the same for TOML."""
    (block,) = README.split("```toml\n")[1:]
    assert tomllib.loads(block.partition("```")[0]) == tomllib.loads(CLIENTS["codex"]()[1])


def test_an_unknown_client_is_told_which_there_are() -> None:
    """Ours: argparse's usage error names the choices."""
    ended = blikk_mcp("config", "notepad")
    assert ended.returncode == 2
    assert "claude-code" in ended.stderr
