"""Placeholders that a client did not fill in: they arrive as their literal text."""

from __future__ import annotations

import re

# `${NAME}`, `${env:NAME}`, `${{ secrets.NAME }}`, `$NAME`, `$env:NAME`, `{env:NAME}`, `{file:PATH}`, `%NAME%`,
# `<your key>`.
_WHOLE = re.compile(
    r"\$\{.*|\$(?:(?i:env):)?[A-Za-z_][A-Za-z0-9_]*|\{(?:env|file):.*|\{\{.*\}\}|<.*>|%[A-Za-z_][A-Za-z0-9_]*%",
    re.DOTALL,
)
# The same as part of a longer text; `%C3%` of a percent-encoded address is none.
_WITHIN = re.compile(r"\$\{|\$[A-Za-z_]|\{(?:env|file):|\{\{|%(?![0-9A-Fa-f]{2})[A-Za-z_][A-Za-z0-9_]*%")

MESSAGE = "is still a placeholder: the client did not fill it in. Set the variable where the client starts"


def is_placeholder(text: str) -> bool:
    """Whether the whole text is a placeholder: no secret then, whatever setting it is in."""
    return _WHOLE.fullmatch(text.strip()) is not None


def holds_placeholder(text: str) -> bool:
    """Whether a part of the text is one, as in `${HOME}/ledger`."""
    return is_placeholder(text) or _WITHIN.search(text) is not None
