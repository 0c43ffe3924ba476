"""`blikk-mcp config CLIENT`: the set-up snippet for a client, with no key in it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

KEY = "BLIKK_API_KEY"
KEY_FILE = {"BLIKK_API_KEY_FILE": "/full/path/to/a/file/that/holds/the/key"}

Snippet = tuple[str, str]
"""Where it goes, and what goes there."""


def _json(value: Any) -> str:
    return json.dumps(value, indent=2)


def _mcp_servers(where: str, environment: dict[str, str]) -> Snippet:
    return where, _json({"mcpServers": {"blikk": {"command": "blikk-mcp", "env": environment}}})


def _vscode() -> Snippet:
    inputs = [{"type": "promptString", "id": "blikk-key", "description": "Blikk API key", "password": True}]
    server = {"type": "stdio", "command": "blikk-mcp", "env": {KEY: "${input:blikk-key}"}}
    return ".vscode/mcp.json", _json({"inputs": inputs, "servers": {"blikk": server}})


def _codex() -> Snippet:
    lines = ["[mcp_servers.blikk]", 'command = "blikk-mcp"', f'env_vars = ["{KEY}"]', "startup_timeout_sec = 20"]
    return "~/.codex/config.toml", "\n".join(lines)


def _goose() -> Snippet:
    lines = ["extensions:", "  blikk:", "    type: stdio", "    enabled: true", "    cmd: blikk-mcp", "    args: []"]
    return "~/.config/goose/config.yaml", "\n".join([*lines, f"    env_keys: [{KEY}]", "    timeout: 60"])


def _opencode() -> Snippet:
    server = {"type": "local", "command": ["blikk-mcp"], "environment": {KEY: f"{{env:{KEY}}}"}}
    return "opencode.json", _json({"mcp": {"blikk": server}})


CLIENTS: dict[str, Callable[[], Snippet]] = {
    "claude-code": lambda: _mcp_servers(".mcp.json", {KEY: f"${{{KEY}}}"}),
    "claude-desktop": lambda: _mcp_servers("claude_desktop_config.json", KEY_FILE),
    "cursor": lambda: _mcp_servers("~/.cursor/mcp.json", {KEY: f"${{env:{KEY}}}"}),
    "vscode": _vscode,
    "codex": _codex,
    "gemini": lambda: _mcp_servers("~/.gemini/settings.json", {KEY: f"${KEY}"}),
    "goose": _goose,
    "opencode": _opencode,
    "windsurf": lambda: _mcp_servers("~/.codeium/windsurf/mcp_config.json", {KEY: f"${{env:{KEY}}}"}),
    "other": lambda: _mcp_servers("your client's list of MCP servers", KEY_FILE),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's argument."""
    parser.add_argument("client", choices=sorted(CLIENTS), metavar="CLIENT", help=", ".join(sorted(CLIENTS)))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the snippet on stdout, and where it goes on stderr, so that it can be piped into a file."""
    where, snippet = CLIENTS[arguments.client]()
    sys.stderr.write(f"Put this into {where}. `blikk-mcp doctor` then says whether all is well.\n")
    sys.stdout.write(f"{snippet}\n")
    return 0
