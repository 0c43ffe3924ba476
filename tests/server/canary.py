"""Finds a secret in text, whatever it was encoded in. Shares no code and no method with the redactor:

the redactor reads text and recognises; this writes every encoding out and searches for it literally.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from html import escape
from typing import Any, cast
from urllib.parse import quote, quote_plus

CUT_AT = 16
"""A piece of this many characters of the secret is a find."""

_CUT_FORMS = {"base64": CUT_AT * 8 // 6 + 1, "hex upper": 2 * CUT_AT, "hex lower": 2 * CUT_AT, "plain": CUT_AT}
"""Characters of an encoding that hold so many of the secret, where every one is encoded by itself or all together."""

COVERED = (
    *("plain", "url", "url, slashes kept", "url, lower case", "url, as a form", "url, twice", "url, every byte"),
    *("url, every byte, lower case", "unicode escapes", "unicode escapes, upper case", "unicode escapes in json"),
    *("byte escapes", "byte escapes, upper case", "hex lower case", "hex upper case"),
    *("json", "json in json", "json with escaped slashes"),
    *(f"{alphabet} at {at}" for alphabet in ("base64", "base64url") for at in range(3)),
)
"""What the redactor promises to see. The search knows more: nothing else may come out either."""


@lru_cache(maxsize=64)
def encodings_of(secret: str) -> Mapping[str, str]:
    """Every encoding of the secret that is searched for, by name."""
    in_json = json.dumps(secret)[1:-1]
    return {name: encode(secret) for name, encode in _EACH.items()} | {
        "json": in_json,
        "json in json": json.dumps(in_json)[1:-1],
        "json with escaped slashes": in_json.replace("/", "\\/"),
        **{f"base64 at {at}": _base64_at(secret, at, base64.b64encode) for at in range(3)},
        **{f"base64url at {at}": _base64_at(secret, at, base64.urlsafe_b64encode) for at in range(3)},
    }


def find(secret: str, text: str) -> list[str]:
    """The names of the encodings in which the secret, or a piece of it, is in the text."""
    joined = _haystacks(text)
    folded = joined.lower()
    found: set[str] = set()
    for name, encoding in encodings_of(secret).items():
        if encoding in joined:
            found.add(name)
        elif any(piece in joined for piece in _pieces(secret, name, encoding)):
            found.add(f"{name}, cut off")
    if secret.lower() in folded:
        found.add("in another case")
    if len(secret) > CUT_AT and secret[-CUT_AT:] in joined:
        found.add("plain, its end")
    return sorted(found)


def _pieces(secret: str, name: str, encoding: str) -> list[str]:
    """The shortest beginning of an encoding that counts as a find."""
    if len(secret) <= CUT_AT:
        return []
    for form, length in _CUT_FORMS.items():
        if name.startswith(form):
            return [encoding[:length]]
    return [encodings_of(secret[:CUT_AT])[name]]


def _haystacks(text: str) -> str:
    """The text as it is, without line breaks and spaces of any kind, and with its fields joined."""
    unwrapped = "".join(text.split())
    views = [
        text,
        unwrapped,
        re.sub(r"\\+[nrt]", "", unwrapped),
        text.replace("\0", "").replace("\\u0000", "").replace("%00", ""),
        re.sub(r'"\s*[:,]\s*"', "", text),
    ]
    for line in text.splitlines():
        try:
            views.append("".join(_strings(json.loads(line))))
        except (ValueError, RecursionError):
            continue
    return "\n\n".join(views)


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in cast("dict[str, Any]", value).values() for text in _strings(item)]
    if isinstance(value, list):
        return [text for item in cast("list[Any]", value) for text in _strings(item)]
    return []


def _base64_at(secret: str, offset: int, encode: Callable[[bytes], bytes]) -> str:
    """What stays the same in base64 when everything around the secret changes."""
    data = secret.encode()
    one = encode(b"\x00" * offset + data + b"\x00" * 3).decode()
    other = encode(b"\xff" * offset + data + b"\xff" * 3).decode()
    same = [a if a == b else " " for a, b in zip(one, other, strict=True)]
    return "".join(same).split()[0]


def _each(template: str) -> Callable[[str], str]:
    """An encoding that writes every byte by the template."""
    return lambda secret: "".join(template.format(byte) for byte in secret.encode())


def _lower_quote(secret: str) -> str:
    return re.sub("%..", lambda found: found[0].lower(), quote(secret, safe=""))


_EACH: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper case": str.upper,
    "lower case": str.lower,
    "url": lambda secret: quote(secret, safe=""),
    "url, slashes kept": quote,
    "url, lower case": _lower_quote,
    "url, as a form": quote_plus,
    "url, twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "url, every byte": _each("%{:02X}"),
    "url, every byte, lower case": _each("%{:02x}"),
    "unicode escapes": _each("\\u{:04x}"),
    "unicode escapes, upper case": _each("\\u{:04X}"),
    "unicode escapes in json": _each("\\\\u{:04x}"),
    "byte escapes": _each("\\x{:02x}"),
    "byte escapes, upper case": _each("\\x{:02X}"),
    "html": escape,
    "html, decimal": _each("&#{};"),
    "html, hexadecimal": _each("&#x{:x};"),
    "html, hexadecimal, upper case": _each("&#x{:X};"),
    "hex lower case": lambda secret: secret.encode().hex(),
    "hex upper case": lambda secret: secret.encode().hex().upper(),
    "hex with colons": lambda secret: secret.encode().hex(":"),
    "hex with spaces": lambda secret: secret.encode().hex(" "),
    "hex with dashes": lambda secret: secret.encode().hex("-").upper(),
    "hex with prefixes": lambda secret: ", ".join(f"0x{byte:02x}" for byte in secret.encode()),
    "base32": lambda secret: base64.b32encode(secret.encode()).decode().rstrip("=")[:-1],
    "with nul characters": "\0".join,
    "with escaped nul characters": "\\u0000".join,
}
