"""YAML as goose and `config` write it: blocks, one value a line. What is more than that is refused and not guessed."""

from __future__ import annotations

import json
import re
from typing import Any

_KEY = re.compile(
    r"""(?P<key>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[\w./$<~-](?:[^:#]|:(?=\S)|(?<=\S)\#)*?)\s*:(?:\s+(?P<value>.*))?"""
)
_BLOCK_TEXT = re.compile(r"(?P<indent>\s*)(?P<head>(?:- |.*:\s)\s*)[|>][+-]?(?:\s+#.*)?")
_QUOTED = re.compile(r"""(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')(?:\s+#.*)?""")
_ITEM = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[\w./~<-][^\[\]{}"',#]*)"""
_LIST = re.compile(rf"\[\s*(?:{_ITEM}\s*(?:,\s*{_ITEM}\s*)*,?\s*)?\](?:\s+#.*)?")
_NO_BEGINNING = tuple("[]{}&*!|>%@`\"'#,")


def load(text: str) -> dict[str, Any]:
    """What a plain YAML text holds.

    Raises:
        ValueError: its syntax is broken, or it has more than is read here.
    """
    lines = _with_block_texts_folded(text.removeprefix("---\n").splitlines())
    value, rest = _block(lines, 0)
    return value if not rest else _not_plain()


def _with_block_texts_folded(lines: list[str]) -> list[str]:
    """The lines that count. A text that fills lines of its own becomes a string behind its name: `#` is no comment there."""
    kept: list[str] = []
    number = 0
    while number < len(lines):
        line = lines[number].rstrip()
        number += 1
        if not line or line.lstrip().startswith("#"):
            continue
        if line.lstrip(" ").startswith("\t"):
            return _not_plain()
        if (head := _BLOCK_TEXT.fullmatch(line)) is not None:
            first = number
            while number < len(lines) and (not lines[number].strip() or _indent(lines[number]) > len(head["indent"])):
                number += 1
            line = f"{head['indent']}{head['head']}{json.dumps(lines[first:number])}"
        kept.append(line)
    return kept


def _block(lines: list[str], indent: int) -> tuple[dict[str, Any], list[str]]:
    """A block of `name: value` lines at this indentation, and the lines after it."""
    found: dict[str, Any] = {}
    while lines and _indent(lines[0]) == indent and not lines[0].lstrip().startswith("- "):
        match = _KEY.fullmatch(lines[0].lstrip())
        if match is None:
            return _not_plain()
        name, value = str(_scalar(match["key"])), match["value"] or ""
        if name in found:
            return _not_plain()
        lines = lines[1:]
        if value and not value.startswith("#"):
            found[name] = _scalar(value)
            continue
        below = _indent(lines[0]) if lines else 0
        if lines and lines[0].lstrip().startswith("- ") and below >= indent:
            found[name], lines = _items(lines, below)
        else:
            found[name], lines = _block(lines, below) if below > indent else ({}, lines)
    return found, lines


def _items(lines: list[str], indent: int) -> tuple[list[Any], list[str]]:
    items: list[Any] = []
    while lines and lines[0].startswith(" " * indent + "- "):
        first = lines[0][indent + 2 :].lstrip()
        if _KEY.fullmatch(first):
            inner = len(lines[0]) - len(first)
            item, lines = _block([" " * inner + first, *lines[1:]], inner)
            items.append(item)
        else:
            items.append(_scalar(first))
            lines = lines[1:]
    return items, lines


def _scalar(text: str) -> Any:
    """A value on its own line: JSON as it is, a list of plain words, or the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    if (quoted := _QUOTED.fullmatch(text)) is not None:
        inner = quoted["text"]
        return inner[1:-1].replace("''", "'") if inner.startswith("'") else json.loads(inner)
    if _LIST.fullmatch(text):
        return [_scalar(item.strip()) for item in re.findall(_ITEM, text.rpartition("]")[0])]
    plain = text.partition(" #")[0].rstrip()
    if text.startswith(_NO_BEGINNING) or ": " in plain or plain.endswith(":"):
        return _not_plain()
    return plain


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _not_plain() -> Any:
    raise ValueError("more YAML than is read here")
