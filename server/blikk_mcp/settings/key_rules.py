"""Refuse what cannot be the channel's key, with a reason that holds no character of it."""

from __future__ import annotations

import re
from collections.abc import Callable

from blikk_mcp.settings.placeholders import MESSAGE, is_placeholder
from blikk_mcp.settings.surface import SURFACE_WORDS

MIN_KEY_LENGTH = 8
"""Shorter keys cannot be redacted reliably: they are like ordinary text."""

MAX_KEY_LENGTH = 512

# A path that a base64 key is not: `/` starts some of those, but hardly ever a word in lower case after it.
_PATH = re.compile(
    r"(?:~.*|\.{1,2}|\$[A-Za-z_]\w*|%[A-Za-z_]\w*%)[/\\].*|/[A-Z]?[a-z0-9_.-]+(?:/.*)?|[A-Za-z]:[/\\].*|\\\\.*|(?i:file):.*"
    r"|.*\w\.(?i:txt|key|pem|env|json|secret)"
)
_ASSIGNED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=(?!=*$).+")  # `NAME=key`, and not the `==` at the end of base64
_ESCAPES = re.compile(r"(?:\\+(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[a-z0-7\"'/])?|%[0-9a-fA-F]{2}|&#?\w{1,8};)+")
_QUOTED = re.compile(r"""(["'`]).*\1""", re.DOTALL)


def check_key(key: str) -> str:
    """The key unchanged, if it can be one.

    Raises:
        ValueError: it cannot; the text says why and holds nothing of it.
    """
    for is_wrong, message in _RULES:
        if is_wrong(key):
            raise ValueError(message)
    return key


_RULES: tuple[tuple[Callable[[str], object], str], ...] = (
    (lambda key: not key, "is not set; the channel's key comes from Blikk"),
    (is_placeholder, MESSAGE),
    (_QUOTED.fullmatch, "has quotes around it: leave them out"),
    (lambda key: not key.isascii(), "the key has non-ASCII characters"),
    (
        lambda key: any(not "!" <= character <= "~" for character in key),
        "the key has spaces, line breaks or control characters",
    ),
    (_ESCAPES.fullmatch, "is made of escapes: write the key's own characters"),
    (_PATH.fullmatch, "is a path, not a key: name the file in BLIKK_API_KEY_FILE"),
    (_ASSIGNED.fullmatch, "has NAME= before the key: leave that out"),
    (lambda key: len(key) < MIN_KEY_LENGTH, "the key is too short to be one"),
    (lambda key: len(key) > MAX_KEY_LENGTH, f"the key is longer than {MAX_KEY_LENGTH} characters"),
    (
        lambda key: any(key.casefold() in word for word in SURFACE_WORDS),
        "is a word that this server's own answers are made of, and no key",
    ),
)
