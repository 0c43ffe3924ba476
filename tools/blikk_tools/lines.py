"""Lines that fit a terminal, and other people's words in quotes: how text for a person is laid out.

Claude Code shows one terminal line per line of a question and cuts the rest; chats make links of whatever looks like
one. A name or a purpose comes from an agent, and may come from a document that somebody forged.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from itertools import pairwise

LINE_COLUMNS = 76
"""Most columns of a line: what a terminal of 80 shows in full inside a frame. Only a link is longer."""

BREAK = "\u2009"
"""A thin space: to a reader next to nothing, to whatever looks for links the end of a word.

A zero-width character would be dropped by many chats, and the link would be back.
"""

_INDENT = "  "
_JOINTS = frozenset("./:\\@]")
"""After these a link goes on: in names of hosts, paths, schemes, addresses and Markdown."""

_FULL_STOPS = frozenset("\u3002\uff61")
"""Other writings' full stops, which browsers take for dots in a host."""

_ENDS_A_WORD = frozenset({"Zs", "Pe", "Pf", "Pi", "Po", "Pd"})
_QUOTE_NAMES = (
    "QUOTATION", "APOSTROPHE", "PRIME", "DITTO", "GERSHAYIM", "GERESH", "CORNER BRACKET", "TURNED COMMA",
    "REVERSED COMMA", "ACUTE ACCENT", "GRAVE ACCENT",
)  # fmt: skip
_QUOTE_CATEGORIES = frozenset({"Pi", "Pf", "Po", "Ps", "Pe", "So", "Sk", "Lm"})


def quoted(text: str, marks: str) -> str:
    """Put somebody else's text in quotes (`marks`: the opening and the closing one) that it cannot end.

    Nothing in it is left that a chat would make a link of.
    """
    plain = ""
    for character in " ".join(text.split()):
        if not _is_quote(character):
            plain += character
        elif not plain.endswith("'"):
            # One of several: two apostrophes side by side look like a quotation mark again.
            plain += "'"
    return f"{marks[0]}{_unlinked(plain)}{marks[1]}"


def fitted(paragraphs: Iterable[str]) -> list[str]:
    """Break paragraphs into lines of at most `LINE_COLUMNS` columns; what goes on is indented."""
    return [line for paragraph in paragraphs for line in _fit(paragraph)]


def joined(first: str, second: str) -> list[str]:
    """Put two short phrases on one line if they fit, else on two."""
    both = f"{first} · {second}"
    return [both] if columns(both) <= LINE_COLUMNS else [first, second]


def columns(text: str) -> int:
    """Count the columns of a terminal that a text takes: two for a wide character."""
    widths = [*map(unicodedata.east_asian_width, text)]
    return len(widths) + widths.count("W") + widths.count("F")


def _unlinked(text: str) -> str:
    unlinked = ""
    for character, after in pairwise(f"{text} "):
        unlinked += character
        plain = unicodedata.normalize("NFKC", character)
        dot = character in _FULL_STOPS or plain[-1:] == "."
        if (dot and not _ends_a_word(after)) or (plain[-1:] in _JOINTS and not dot and not after.isspace()):
            unlinked += BREAK
    return unlinked


def _ends_a_word(character: str) -> bool:
    plain = unicodedata.normalize("NFKC", character)[0]
    return plain.isspace() or unicodedata.category(plain) in _ENDS_A_WORD


def _is_quote(character: str) -> bool:
    if unicodedata.category(character) not in _QUOTE_CATEGORIES:
        return False
    name = unicodedata.name(character, "")
    return any(part in name for part in _QUOTE_NAMES)


def _fit(paragraph: str) -> list[str]:
    lines = [""]
    # Only at plain spaces: the thin one inside a name is no place to break it.
    for word in paragraph.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if columns(joined) <= LINE_COLUMNS:
            lines[-1] = joined
            continue
        rest = word
        if columns(f"{_INDENT}{word}") > LINE_COLUMNS:
            lines[-1], rest = _cut(joined)
            while columns(f"{_INDENT}{rest}") > LINE_COLUMNS:
                line, rest = _cut(f"{_INDENT}{rest}")
                lines.append(line)
        lines.append(f"{_INDENT}{rest}")
    return lines


def _cut(text: str) -> tuple[str, str]:
    """The longest beginning that fits a line, and what is left."""
    end = min(len(text), LINE_COLUMNS)  # no character takes less than one column
    while columns(text[:end]) > LINE_COLUMNS:
        end -= 1
    return text[:end], text[end:]
