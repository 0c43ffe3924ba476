"""The clients that `config` and `doctor` know: where each keeps its MCP servers, and how it hands settings on.

No client hands on the shell's variables by itself. Each either names the ones to hand on, or holds the values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from blikk_mcp.settings import table

NAME = "blikk"
KEY = table.API_KEY.name
KEY_FILE = table.API_KEY_FILE.name
START_SECONDS = 20
CALL_SECONDS = 60
"""Longer than `await_payment`'s cap of 45 s, which some clients' defaults are not."""

Format = Literal["json", "toml", "yaml"]


@dataclass(frozen=True, slots=True)
class Server:
    """What a client has to start. `environment` holds no key: a key is a file's path there, or the client's reference.

    `kept`: those of the environment that only the client's file says, not this shell.
    """

    command: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    needs_key: bool
    names: tuple[str, ...] = ()
    call_seconds: int = CALL_SECONDS
    kept: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Client:
    """One client. `files`: where it looks, the one to write first; by platform where they differ.

    `place`: the keys under which its file lists servers. `reference`: how it writes a variable to be filled in, with
    `NAME` for the name; `""` if it fills in none and the key has to come from a file.
    """

    title: str
    files: Mapping[str, tuple[str, ...]]
    entry: Callable[[Server], dict[str, Any]]
    place: tuple[str, ...] = ("mcpServers",)
    format: Format = "json"
    reference: str = ""
    beside: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def paths(self, platform: str, environ: Mapping[str, str]) -> list[Path]:
        """Where this client looks on this platform."""
        listed = self.files.get(platform, self.files.get("", ()))
        home = environ.get("CODEX_HOME", "") if self.format == "toml" else ""
        texts = (text.replace("~/.codex", home) if home else text for text in listed)
        return [path for text in texts for path in expanded(text, environ)]

    def snippet(self, server: Server) -> str:
        """What has to stand in the file, as its own format."""
        if self.format == "toml":
            return toml_table(self.entry(server))
        whole = {**self.beside, self.place[0]: {NAME: self.entry(server)}} if self.place else self.entry(server)
        if self.format == "json":
            if self.reference not in server.environment.values():
                whole = {self.place[0]: whole[self.place[0]]}
            return json.dumps(whole, indent=2, ensure_ascii=False)
        return "\n".join(yaml_lines(whole))


def expanded(text: str, environ: Mapping[str, str]) -> list[Path]:
    """The paths that a text of `Client.files` means. A folder with a `*` in its name means those that are there."""
    for name, usual in _WINDOWS_FOLDERS.items():
        text = text.replace(f"%{name}%", environ.get(name, "") or usual)
    before, star, after = text.partition("*")
    if not star:
        return [Path(text).expanduser()]
    folder, _, prefix = before.rpartition("/")
    rest = after.removeprefix("/")
    found = [match / rest for match in sorted(Path(folder).expanduser().glob(f"{prefix}*"))]
    return sorted(found, key=lambda path: not path.exists())


def is_packaged(path: Path) -> bool:
    """Whether a client's file lies where Windows keeps packaged programs' files, which see an AppData of their own."""
    return "LocalCache" in path.parts


def toml_table(entry: Mapping[str, Any]) -> str:
    """The server's TOML table. JSON's strings, numbers, booleans and lists of strings are TOML's."""
    lines = [f"[mcp_servers.{NAME}]"]
    return "\n".join(lines + [f"{name} = {_toml_value(value)}" for name, value in entry.items()])


def _toml_value(value: Any) -> str:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return "{ " + ", ".join(f"{name} = {_toml_value(member)}" for name, member in members.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def yaml_lines(value: Any, indent: str = "") -> list[str]:
    """Block YAML of objects and lists of objects; every other value is JSON, which YAML is a superset of."""
    lines: list[str] = []
    for name, child in value.items():
        if isinstance(child, dict) and child:
            lines += [f"{indent}{name}:", *yaml_lines(child, indent + "  ")]
        elif isinstance(child, list) and child and isinstance(child[0], dict):
            lines.append(f"{indent}{name}:")
            for item in child:  # pyright: ignore[reportUnknownVariableType]
                first, *rest = yaml_lines(item, indent + "    ")
                lines += [f"{indent}  - {first.strip()}", *rest]
        else:
            lines.append(f"{indent}{name}: {json.dumps(child, ensure_ascii=False)}")
    return lines


def _common(server: Server) -> dict[str, Any]:
    return {"command": server.command, "args": list(server.arguments), "env": dict(server.environment)}


def _codex(server: Server) -> dict[str, Any]:
    return {
        "command": server.command,
        "args": list(server.arguments),
        "env_vars": [name for name in server.names if name not in server.kept],
        **({"env": dict(server.kept)} if server.kept else {}),
        "startup_timeout_sec": START_SECONDS,
        "tool_timeout_sec": server.call_seconds,
    }


def _goose(server: Server) -> dict[str, Any]:
    secrets = [KEY] if server.needs_key and KEY_FILE not in server.environment else []
    return {
        "name": NAME,
        "type": "stdio",
        "enabled": True,
        "cmd": server.command,
        "args": list(server.arguments),
        "envs": {name: value for name, value in server.environment.items() if name not in secrets},
        "env_keys": secrets,
        "timeout": server.call_seconds,
    }


def _opencode(server: Server) -> dict[str, Any]:
    return {
        "type": "local",
        "command": [server.command, *server.arguments],
        "environment": dict(server.environment),
        "enabled": True,
        "timeout": START_SECONDS * 1000,
    }


def _continue(server: Server) -> dict[str, Any]:
    entry = {"name": NAME, **_common(server), "connectionTimeout": START_SECONDS * 1000}
    return {"name": "Blikk payments", "version": "0.0.1", "schema": "v1", "mcpServers": [entry]}


_WINDOWS_FOLDERS = {"LOCALAPPDATA": "~/AppData/Local", "APPDATA": "~/AppData/Roaming"}
_CODE_USER = "Code/User"
_CLINE = "globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json"

CLIENTS: dict[str, Client] = {
    "claude-code": Client(
        "Claude Code",
        {"": (".mcp.json", "~/.claude.json")},
        lambda server: {"type": "stdio", **_common(server)},
        reference="${NAME}",
    ),
    "claude-desktop": Client(
        "Claude Desktop",
        {
            "darwin": ("~/Library/Application Support/Claude/claude_desktop_config.json",),
            # Since 2026 its installer makes a package (MSIX), which reads the one in a folder of its own.
            "win32": (
                "%LOCALAPPDATA%/Packages/Claude_*/LocalCache/Roaming/Claude/claude_desktop_config.json",
                "%APPDATA%/Claude/claude_desktop_config.json",
            ),
            "": ("~/.config/Claude/claude_desktop_config.json",),
        },
        _common,
    ),
    "cursor": Client("Cursor", {"": ("~/.cursor/mcp.json", ".cursor/mcp.json")}, _common, reference="${env:NAME}"),
    "vscode": Client(
        "VS Code",
        {"": (".vscode/mcp.json",)},
        lambda server: {"type": "stdio", **_common(server)},
        place=("servers",),
        reference="${input:blikk-key}",
        beside={
            "inputs": [{"type": "promptString", "id": "blikk-key", "description": "Blikk API key", "password": True}]
        },
    ),
    "codex": Client(
        "Codex", {"": ("~/.codex/config.toml", ".codex/config.toml")}, _codex, place=("mcp_servers",), format="toml"
    ),
    "gemini": Client(
        "Gemini CLI",
        {"": ("~/.gemini/settings.json", ".gemini/settings.json")},
        lambda server: {**_common(server), "timeout": server.call_seconds * 1000},
        reference="$NAME",
    ),
    "goose": Client(
        "goose",
        {"win32": ("%APPDATA%/Block/goose/config/config.yaml",), "": ("~/.config/goose/config.yaml",)},
        _goose,
        place=("extensions",),
        format="yaml",
        reference="NAME",
    ),
    "opencode": Client(
        "opencode",
        {"": ("~/.config/opencode/opencode.json", "opencode.json")},
        _opencode,
        place=("mcp",),
        reference="{env:NAME}",
    ),
    "windsurf": Client("Windsurf", {"": ("~/.codeium/windsurf/mcp_config.json",)}, _common, reference="${env:NAME}"),
    "zed": Client(
        "Zed",
        {"win32": ("%APPDATA%/Zed/settings.json",), "": ("~/.config/zed/settings.json",)},
        lambda server: {"source": "custom", "enabled": True, **_common(server)},
        place=("context_servers",),
    ),
    "jetbrains": Client(
        "JetBrains (Junie, AI Assistant)", {"": ("~/.junie/mcp/mcp.json", ".junie/mcp/mcp.json")}, _common
    ),
    "continue": Client(
        "Continue",
        {"": (".continue/mcpServers/blikk.yaml", "~/.continue/mcpServers/blikk.yaml")},
        _continue,
        place=(),
        format="yaml",
        reference="${{ secrets.NAME }}",
    ),
    "cline": Client(
        "Cline",
        {
            "darwin": (f"~/Library/Application Support/{_CODE_USER}/{_CLINE}",),
            "win32": (f"%APPDATA%/{_CODE_USER}/{_CLINE}",),
            "": (f"~/.config/{_CODE_USER}/{_CLINE}",),
        },
        lambda server: {**_common(server), "disabled": False, "autoApprove": [], "timeout": server.call_seconds},
    ),
    "other": Client("your client", {}, _common),
}
