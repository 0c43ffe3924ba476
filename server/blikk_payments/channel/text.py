"""The cleaner for text that Blikk or a bank wrote.

It is hygiene, not a defence: the text stays untrusted, and no authority follows from it.
"""

from __future__ import annotations

import re
import unicodedata

TEXT_LIMIT = 300
"""Most characters of foreign text that are passed on."""

MASK = "••••"
LINK = "(link)"

_INPUT_LIMIT = 2_000
"""Characters that are looked at. The work is linear in this, whatever was sent."""

_MAX_PASSES = 16
"""Removing one thing can reveal another. Text that still changes after so many passes is dropped."""

# Visible categories, but nothing to see: fillers, joiners, the Braille blank, variation selectors (a known
# way to smuggle bytes past a reader).
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_VARIATION_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0), range(0x180B, 0x1810))

_ANSI = re.compile(
    "\x1b[\\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\\\)?"  # OSC, DCS, SOS, PM, APC and what they carry
    "|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor
    "|\x1b[ -/]*[0-~]?"
)
_TAG = re.compile(r"<[^<>]*>")
_ENTITY = re.compile(r"&#?[0-9A-Za-z]{1,31};")
_MARKUP = re.compile(r"[\[\]<>`\\|*#~{}]")
_LINKISH = re.compile(
    r"[^\W\d_][\w+.\-]{0,30}:[^\s]"  # scheme:rest, known or not
    r"|(?:https?|ftp|javascript|vbscript|mailto):"
    r"|//"
    r"|www[.\u3002]"
    r"|\w[.\u3002][^\W\d_]{2}",  # a dotted name: chat windows make links of those by themselves
    re.IGNORECASE,
)
# A kennitala or a BBAN: ten digits or more, however they are grouped.
_DIGITS = re.compile(r"\d(?:[ .\-/\u2010-\u2015]{0,3}\d){9,}")
_IBAN = re.compile(r"\b[A-Za-z]{2}\d{2}(?:[A-Za-z0-9]{11,30}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?)\b")


def is_invisible(character: str) -> bool:
    """Whether a reader sees nothing where this character stands, other than a space."""
    category = unicodedata.category(character)
    return (
        category in {"Cc", "Cf", "Cn", "Co", "Cs"}
        or character in _BLANK
        or any(ord(character) in selectors for selectors in _VARIATION_SELECTORS)
    )


def clean_text(text: str, limit: int = TEXT_LIMIT) -> str:
    """The text as one line of at most `limit` characters; cleaning it again changes nothing.

    NFKC; without ANSI escapes, control, format, surrogate, private and invisible characters, markup and
    links; digits that look like a kennitala or an account are masked.
    """
    if len(text) > _INPUT_LIMIT:
        # The cut must not leave the first half of a number too short for the mask.
        text = text[:_INPUT_LIMIT].rstrip("0123456789 -./")
    for _ in range(_MAX_PASSES):
        cleaned = _clean_once(text, limit)
        if cleaned == text:
            return cleaned
        text = cleaned
    return ""


def _clean_once(text: str, limit: int) -> str:
    text = _ANSI.sub(" ", text)
    text = "".join(_visible(character) for character in text)
    text = unicodedata.normalize("NFKC", text)
    for markup in (_TAG, _ENTITY, _MARKUP):
        text = markup.sub(" ", text)
    text = " ".join(LINK if _LINKISH.search(word) else word for word in text.split())
    text = _IBAN.sub(MASK, text)
    text = _DIGITS.sub(MASK, text)
    return text[:limit]


def _visible(character: str) -> str:
    """The character, a space for a line break or tab, or nothing (so words split by it are joined)."""
    if character.isspace():
        return " "
    return "" if is_invisible(character) else character
