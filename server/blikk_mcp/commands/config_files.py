"""Clients' own configuration files: read, and changed in one place with everything else left as it stands.

JSON is edited as text, so that comments and layout stay; TOML and YAML get a block. What cannot be changed safely is
refused: every result is read again and compared.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from blikk_mcp.commands import plain_yaml
from blikk_mcp.commands.clients import NAME, Client, yaml_lines

MAX_FILE_BYTES = 4 * 1024 * 1024
BACKUP_SUFFIX = ".before-blikk"
_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_STRING_OR_COMMA = re.compile(r'"(?:[^"\\\n]|\\.)*"|,(?=\s*[}\]])')


class CannotChange(Exception):
    """The file is left alone; the text says why."""


def load_json(text: str) -> Any:
    """JSON that may have comments and commas at the end of lists, as Zed's and VS Code's.

    Raises:
        ValueError: it is none.
    """
    return json.loads(_plain(text)) if text.strip() else {}


def read_text(path: Path) -> str:
    """A file's text with plain line ends, `""` if there is none.

    Raises:
        CannotChange: it cannot be read, or is no text.
    """
    try:
        data = path.read_bytes() if path.stat().st_size <= MAX_FILE_BYTES else None
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise CannotChange(f"{path} cannot be read: {os.strerror(error.errno or 0)}") from None
    try:
        if data is None:
            raise CannotChange(f"{path} is too large for a configuration file")
        text = data.decode("utf-8-sig")
        return text.replace("\r\n", "\n") if _has_windows_lines(data) else text
    except UnicodeDecodeError:
        raise CannotChange(f"{path} is no text in UTF-8") from None


def changed(client: Client, before: str, entry: dict[str, Any], *, with_inputs: bool) -> str:
    """The file's text with our server in it.

    Raises:
        CannotChange: what stands there is not understood well enough to be changed.
    """
    try:
        if client.format == "toml":
            return _changed_toml(before, entry, client)
        if client.format == "yaml":
            return _changed_yaml(before, entry, client)
        after = _set(before, (*client.place, NAME), entry)
        wanted = {**load_json(before)}
        wanted[client.place[0]] = {**wanted.get(client.place[0], {}), NAME: entry}
        if with_inputs:
            have = wanted.get("inputs", [])
            ours = client.beside["inputs"]
            if not any(one.get("id") == ours[0]["id"] for one in have):
                wanted["inputs"] = [*have, *ours]
                after = _set(after, ("inputs",), wanted["inputs"])
        if load_json(after) != wanted:
            raise CannotChange("what stands there could not be kept as it is")
    except (ValueError, TypeError, AttributeError, KeyError, IndexError):
        raise CannotChange("what stands there is not understood") from None
    return after


def write(path: Path, text: str) -> Path | None:
    """Write the file in one step, as private as it was (a new one: for its owner only). The copy of the old one, if any.

    Raises:
        CannotChange: it cannot be written.
    """
    path = path.resolve()  # a link to it stays a link
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
        backup = path.with_name(path.name + BACKUP_SUFFIX) if path.exists() else None
        data = text.encode()
        if backup:
            before = path.read_bytes()
            _replace(backup, before, mode)
            data = data.replace(b"\n", b"\r\n") if _has_windows_lines(before) else data
        _replace(path, data, mode)
    except OSError as error:
        raise CannotChange(f"{path} cannot be written: {os.strerror(error.errno or 0)}") from None
    return backup


def _has_windows_lines(data: bytes) -> bool:
    return b"\n" in data and data.count(b"\n") == data.count(b"\r\n")


def _replace(path: Path, data: bytes, mode: int) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _plain(text: str) -> str:
    """The same length without comments and trailing commas, so that places in it are places in the text."""

    def blank(match: re.Match[str]) -> str:
        found = match.group()
        return found if found.startswith('"') else re.sub(r"[^\n]", " ", found)

    return _STRING_OR_COMMA.sub(blank, _STRING_OR_COMMENT.sub(blank, text))


def _set(text: str, keys: tuple[str, ...], value: Any) -> str:
    """Put a value under these keys into a JSON text."""
    if not text.strip():
        text = "{\n}\n"
    plain = _plain(text)
    at = re.compile(r"\s*").match(plain).end()  # type: ignore[union-attr] - it always matches
    for depth, key in enumerate(keys):
        if plain[at] != "{":
            raise ValueError("not an object")
        found = {name: (start, end) for name, start, end in _members(plain, at)}
        if key not in found:
            nested: Any = value
            for inner in reversed(keys[depth + 1 :]):
                nested = {inner: nested}
            return _insert(text, at, key, nested, depth + 1, is_first=not found)
        start, end = found[key]
        if depth == len(keys) - 1:
            return text[:start] + _indented(value, depth + 1) + text[end:]
        at = start
    raise ValueError("no keys")


def _insert(text: str, at: int, key: str, value: Any, depth: int, *, is_first: bool) -> str:
    member = f"\n{'  ' * depth}{json.dumps(key)}: {_indented(value, depth)}"
    rest = text[at + 1 :]
    if not is_first:
        return text[: at + 1] + member + "," + rest
    return text[: at + 1] + member + (rest if rest.lstrip(" ").startswith("\n") else f"\n{'  ' * (depth - 1)}{rest}")


def _indented(value: Any, depth: int) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False).replace("\n", "\n" + "  " * depth)


def _members(plain: str, at: int) -> Iterator[tuple[str, int, int]]:
    """The members of the object that begins there: name, and where its value begins and ends."""
    decoder, skip = json.JSONDecoder(), re.compile(r"[\s,:]*")
    place = at + 1
    while True:
        place = skip.match(plain, place).end()  # type: ignore[union-attr] - it always matches
        if plain[place] == "}":
            return
        name, place = decoder.raw_decode(plain, place)
        start = skip.match(plain, place).end()  # type: ignore[union-attr] - it always matches
        _, place = decoder.raw_decode(plain, start)
        yield name, start, place


def _changed_toml(before: str, entry: dict[str, Any], client: Client) -> str:
    from blikk_mcp.commands.clients import toml_table

    ours = re.compile(rf'(?ms)^\[mcp_servers\.(?:{NAME}|"{NAME}")(?:\.[^\]]*)?\][^\n]*\n?(?:(?!^\[).*?\n?)*?(?=^\[|\Z)')
    rest = ours.sub("", before).rstrip()
    after = f"{rest}\n\n{toml_table(entry)}\n" if rest else f"{toml_table(entry)}\n"
    wanted = tomllib.loads(before)
    wanted[client.place[0]] = {**wanted.get(client.place[0], {}), NAME: entry}
    if tomllib.loads(after) != wanted:
        raise CannotChange("what stands there could not be kept as it is")
    return after


def _changed_yaml(before: str, entry: dict[str, Any], client: Client) -> str:
    """Only what is plain is changed: a block of its own, in a file without it."""
    if not client.place:
        return "\n".join(yaml_lines(entry)) + "\n"
    (place,) = client.place
    with suppress(ValueError, TypeError):
        wanted = plain_yaml.load(before)
        wanted[place] = {**(wanted.get(place) or {}), NAME: entry}
        after = _with_block(before.splitlines(), place, entry)
        if plain_yaml.load(after) == wanted:
            return after
    raise CannotChange("its YAML is broken, or not plain enough to be changed from here")


def _with_block(lines: list[str], place: str, entry: dict[str, Any]) -> str:
    head = [number for number, line in enumerate(lines) if re.fullmatch(rf"{place}:\s*(?:\{{\s*\}})?\s*(?:#.*)?", line)]
    if not head:
        return "\n".join([*lines, *yaml_lines({place: {NAME: entry}})]) + "\n"
    after_head = lines[head[0] + 1 :]
    child = next((line for line in after_head if line.strip() and not line.lstrip().startswith("#")), "")
    indent = " " * (len(child) - len(child.lstrip())) or "  "
    block = next((number for number, line in enumerate(lines) if line.rstrip() == f"{indent}{NAME}:"), None)
    if block is not None:
        end = block + 1
        while end < len(lines) and (not lines[end].strip() or lines[end].startswith(indent + " ")):
            end += 1
        lines[block:end] = yaml_lines({NAME: entry}, indent)
        return "\n".join(lines) + "\n"
    lines[head[0] : head[0] + 1] = [f"{place}:", *yaml_lines({NAME: entry}, indent)]
    return "\n".join(lines) + "\n"
