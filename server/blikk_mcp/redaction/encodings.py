"""The shapes a secret takes on its way out, and how text is read to recognise them.

Two ideas cover them all:

- A *form* is what a secret turns into as a whole: itself, backwards, hex, base64 or base32.
- A *view* reads text without the dressing that encoders put on single characters: white space from
  wrapping, JSON and URL escapes, HTML entities, separators between hex bytes, letter case.

A form that shows in a view is a leak. Text is ambiguous (is `\\n` a line break or two letters?),
so there are several views, and one is enough.
"""

import base64
import html
import json
import re
import string
from array import array
from dataclasses import dataclass
from urllib.parse import quote

_HEX = "[0-9a-fA-F]"
_WRAPPING = r"[\s\0]+"
# Backslashes go by themselves too, so that JSON within JSON reads like the text that it stands for.
_BACKSLASH = rf"\\+(?:u(?P<unicode>{_HEX}{{4}})|x(?P<byte>{_HEX}{{2}})|[nrt]|)"
_PERCENT = rf"%(?:25){{0,8}}(?P<percent>[0-7]{_HEX})"
_ENTITY = (
    rf"&(?:(?:amp;){{1,8}}(?=#(?:[0-9]{{1,7}}|[xX]{_HEX}{{1,6}});|(?:amp|lt|gt|quot|apos);))?"
    r"(?P<entity>#?[0-9A-Za-z]{1,12};)"
)
_HEX_SEPARATOR = rf"(?<={_HEX}{{2}})[:,-](?=\s{{0,8}}(?:0x)?{_HEX}{{2}})|0x(?={_HEX}{{2}})"

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)

ESCAPED = re.compile(rf"\\(?:u00|x)[0-7]|%[0-7]{_HEX}|&(?:#|[a-zA-Z]{{2,12}};)")
"""Finds an escape that hides a character: cheap, for a first look."""

CUT_ESCAPE = re.compile(rf"(?:\\+(?:u{_HEX}{{0,3}}|x{_HEX}?)?|%(?:25){{0,8}}{_HEX}?|&[#;0-9A-Za-z]{{0,24}})\Z")
"""Finds an escape that the end of a piece of text may have cut in two."""

_HIDDEN = re.compile(f"{_BACKSLASH}|{_PERCENT}|{_ENTITY}")


def view(*dressings: str) -> re.Pattern[str]:
    """The view that sees through these dressings."""
    return re.compile("|".join((_WRAPPING, *dressings)), re.ASCII)


VIEWS: dict[str, re.Pattern[str]] = {
    "wrapped": view(),
    "json": view(_BACKSLASH),
    "escaped": view(_BACKSLASH, _PERCENT, _ENTITY),
    "separated": view(_BACKSLASH, _HEX_SEPARATOR),
}


@dataclass(frozen=True, slots=True, repr=False)
class Reading:
    """Text as seen in a view: one character a unit, and where in the text each unit stands."""

    units: str
    starts: "array[int]"
    wide: dict[int, int]
    """The ends of the units that take more than one character."""

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Where in the text the units from `first` to `last`, inclusive, stand."""
        return self.starts[first], self.wide.get(last, self.starts[last] + 1)


def read(text: str, tokens: re.Pattern[str]) -> Reading:
    """Reads text in a view, in time linear in its length."""
    parts: list[str] = []
    starts = array("q")
    wide: dict[int, int] = {}
    position = 0
    for token in tokens.finditer(text):
        unit = _decoded(token)
        if len(unit) > 1:
            continue  # no escape after all: its characters stand for themselves
        start, end = token.span()
        parts.append(text[position:start])
        starts.extend(range(position, start))
        if unit:
            wide[len(starts)] = end
            parts.append(unit)
            starts.append(start)
        position = end
    parts.append(text[position:])
    starts.extend(range(position, len(text)))
    return Reading("".join(parts).translate(_LOWER), starts, wide)


def unhidden(text: str) -> str:
    """The text with its escapes decoded: cheap, for a first look."""
    return _HIDDEN.sub(_decoded, text)


def _decoded(token: re.Match[str]) -> str:
    """The character a token stands for; empty for dressing; the token itself if it is no escape."""
    kind = token.lastgroup
    if kind is None:
        return ""
    character = html.unescape(f"&{token[kind]}") if kind == "entity" else chr(int(token[kind], 16))
    if len(character) > 1:
        return token[0]
    # Control characters are wrapping, and a backslash is dropped as it is when not escaped.
    return "" if character <= " " or character in "\\\x7f" else character


def forms(secret: str) -> dict[str, str]:
    """What the secret turns into as a whole, by name."""
    data = secret.encode("utf-8", "surrogatepass")
    found = {"plain": secret, "reversed": secret[::-1], "hex": data.hex()}
    if "\\" in secret:
        # What a view takes for an escape in the secret itself is none in another case or once the
        # backslash is encoded.
        for name in ("plain", "reversed"):
            found[f"{name}, lower case"] = found[name].lower()
            found[f"{name}, bare"] = found[name].replace("\\", "")
    if not secret.isascii():
        found["url"] = quote(data, safe="")
        found["json"] = json.dumps(secret)[1:-1]
    for offset in range(3):
        text = _inner(base64.b64encode(bytes(offset) + data), offset, len(data), bits=6)
        found[f"base64 at {offset}"] = text
        found[f"base64url at {offset}"] = text.replace("+", "-").replace("/", "_")
    for offset in range(5):
        text = _inner(base64.b32encode(bytes(offset) + data), offset, len(data), bits=5)
        found[f"base32 at {offset}"] = text
    return found


def _inner(encoded: bytes, offset: int, length: int, *, bits: int) -> str:
    """The characters that the secret alone determines, whatever stands before and after it."""
    return encoded[-(-offset * 8 // bits) : (offset + length) * 8 // bits].decode("ascii")
