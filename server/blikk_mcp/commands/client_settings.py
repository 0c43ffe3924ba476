"""Read from a client's own configuration how it would start the server, and with which settings."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, cast

from blikk_mcp.commands import plain_yaml
from blikk_mcp.commands.clients import CLIENTS, NAME, Client
from blikk_mcp.commands.config_files import CannotChange, load_json, read_text

_DOLLAR = re.compile(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\}")
_ENV = re.compile(r"\$\{env:(?P<name>\w+)\}")
REFERENCES = {
    "claude-code": _DOLLAR,
    "cursor": _ENV,
    "windsurf": _ENV,
    "vscode": _ENV,
    "gemini": re.compile(r"\$\{(?P<name>\w+)\}|\$(?P<bare>\w+)"),
    "opencode": re.compile(r"\{env:(?P<name>\w+)\}"),
}
"""How each client writes a variable of the environment that it was started in."""

UNSET_IS_LEFT_OUT = frozenset({"gemini", "opencode"})
_ONLY_THE_CLIENT_KNOWS = re.compile(r"\$\{input:[^}]*\}|\$\{\{\s*secrets\.[^}]*\}\}")


@dataclass(frozen=True, slots=True)
class Given:
    """What the client's `file` says. `kept`: settings whose values the client keeps to itself and asks for."""

    file: Path
    command: list[str]
    environment: dict[str, str]
    kept: frozenset[str]


def given_by(name: str, platform: str, environ: Mapping[str, str]) -> Given:
    """What this client would start, were it started with this environment.

    Raises:
        CannotChange: there is no such server in its file, or the file cannot be read; the text says which.
    """
    client = CLIENTS[name]
    looked = client.paths(platform, environ)
    for path in looked:
        text = read_text(path)
        if not text.strip():
            continue
        try:
            entry = _entry(client, text)
        except (ValueError, TypeError, AttributeError, KeyError, IndexError):
            raise CannotChange(f"{path} is not understood: its syntax is broken, or more than is read here") from None
        if entry is not None:
            return _given(name, path, entry, environ)
    raise CannotChange(
        f"{client.title} has no server that runs blikk-mcp in {' or '.join(map(str, looked))}: "
        f"`blikk-mcp config {name} --write` puts one there"
    )


def stated_in(client: Client, text: str) -> dict[str, str]:
    """The variables that a client's file states for our server, as they stand there; none where there is no such server.

    Raises:
        CannotChange: the text is not understood.
    """
    try:
        entry = _entry(client, text) if text.strip() else None
        return {str(name): str(value) for name, value in _stated(entry or {}).items()}
    except (ValueError, TypeError, AttributeError, KeyError, IndexError):
        raise CannotChange("what stands there is not understood") from None


def _stated(entry: dict[str, Any]) -> dict[str, Any]:
    return cast("dict[str, Any]", entry.get("env") or entry.get("envs") or entry.get("environment") or {})


def _entry(client: Client, text: str) -> dict[str, Any] | None:
    if client.format == "toml":
        whole: Any = tomllib.loads(text)
    elif client.format == "yaml":
        whole = _plain_yaml(text, client)
    else:
        whole = load_json(text)
    if not client.place:
        servers = {str(one["name"]): one for one in cast("list[dict[str, Any]]", whole["mcpServers"])}
    else:
        (place,) = client.place
        # Claude Code keeps servers by project, too.
        projects: dict[str, Any] = whole.get("projects", {}) if client.format == "json" else {}
        # A Windows path may be written either way.
        here: list[Any] = [held for path, held in projects.items() if Path(path) == Path.cwd()]
        project: Any = here[0] if here else {}
        servers = cast("dict[str, dict[str, Any]]", {**(whole.get(place) or {}), **(project.get(place) or {})})
    ours = [entry for name, entry in servers.items() if name == NAME or "blikk-mcp" in json.dumps(entry)]
    return ours[0] if ours else None


def _given(name: str, path: Path, entry: dict[str, Any], environ: Mapping[str, str]) -> Given:
    command: Any = entry.get("command", entry.get("cmd", ""))
    arguments = cast("list[Any]", entry.get("args", []))
    words = [*([command] if isinstance(command, str) else cast("list[Any]", command)), *arguments]
    handed_on = [_name(one) for one in cast("list[Any]", entry.get("env_vars", []))]
    kept = {str(secret) for secret in cast("list[Any]", entry.get("env_keys", []))}
    environment = {one: environ[one] for one in handed_on if one in environ}
    for variable, value in _stated(entry).items():
        filled = _filled_in(name, str(value), environ)
        if _ONLY_THE_CLIENT_KNOWS.search(filled):
            kept.add(variable)
        elif filled or name not in UNSET_IS_LEFT_OUT:
            environment[variable] = filled
    return Given(path, [str(word) for word in words], environment, frozenset(kept))


def _name(handed_on: Any) -> str:
    """A variable's name in Codex's `env_vars`: a text, or a table with one."""
    return handed_on if isinstance(handed_on, str) else str(handed_on["name"])


def _filled_in(client: str, value: str, environ: Mapping[str, str]) -> str:
    pattern = REFERENCES.get(client)
    if pattern is None:
        return value

    def fill(match: re.Match[str]) -> str:
        groups = match.groupdict()
        unset = "" if client in UNSET_IS_LEFT_OUT else match.group()
        default = groups.get("default")
        return environ.get(groups["name"] or groups.get("bare") or "", unset if default is None else default)

    return pattern.sub(fill, value)


def _plain_yaml(text: str, client: Client) -> dict[str, Any]:
    """The part of a YAML file that holds our server, whatever else there is.

    Raises:
        ValueError: it is not as plain as `config` writes it.
    """
    if not client.place:
        return plain_yaml.load(text)
    (place,) = client.place
    lines = text.splitlines()
    inside = False
    for number, line in enumerate(lines):
        if not line.startswith((" ", "#")) and line.strip():
            inside = line.partition(" #")[0].rstrip() == f"{place}:"
        if inside and line.strip() in (f"{NAME}:", f'"{NAME}":'):
            indent = len(line) - len(line.lstrip())
            return {place: plain_yaml.load("\n".join(_until_dedented(lines[number:], indent)))}
    return {}


def _until_dedented(lines: list[str], indent: int) -> list[str]:
    """One block's lines without its indentation."""
    block = takewhile(lambda line: not line.strip() or line.startswith(" " * (indent + 1)), lines[1:])
    return [lines[0].strip(), *(line[indent:] for line in block)]


def runs(command: list[str]) -> str:
    """What is wrong with the command as a client starts it, that has perhaps no PATH; `""` if nothing."""
    if not command or not command[0]:
        return "names no command"
    path = Path(command[0])
    if not path.is_absolute():
        return "names the command without its absolute path: a client with a window does not find it"
    return "" if path.is_file() and os.access(path, os.X_OK) else "names a command that is not there any more"
