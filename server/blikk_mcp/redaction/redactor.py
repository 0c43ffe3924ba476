"""Takes known secrets out of text, whatever they were encoded in.

A leak is 16 characters of a secret in a row (of a shorter one: all), in letters of any case, plain or in escapes
(JSON's, URLs'), hex or base64.
Fewer would be an oracle: who may try ten characters at a time reads a whole key out of the answers, letter by letter.
Text is decoded in every way that is known here and searched for the secret itself; the word that holds it is replaced.

Not seen: a secret reversed, wrapped over lines, encrypted, packed, or handed out in pieces.
"""

from __future__ import annotations

import binascii
import re
from base64 import b32decode, b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from typing import NoReturn

MARK = "[redacted]"
LEAK_LENGTH = 16
MAX_ESCAPED = 3
"""How often escapes are taken off: JSON in JSON in a log line."""

MAX_PERCENT_ENCODED = 2

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([\\\"'/]))")
_PERCENT = re.compile(r"%([0-9a-fA-F]{2})")
_PAIR = re.compile("[0-9a-fA-F]{2}")
_URL_SAFE = str.maketrans("-_", "+/")


class Redactor:
    """Replaces what holds a known secret by `[redacted]`.

    Its attributes hold the secrets: `repr`, `vars` and `pickle` do not show them, but who can read this process's
    memory can.
    """

    __slots__ = ("_base32", "_hex", "_leaks", "_runs", "_spaced", "_whole", "_whole_in_base64")

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {secret.strip() for secret in secrets} - {""}
        # Bytes that were encoded are read back as Latin-1; only outside ASCII is that another text.
        known |= {secret.encode("utf-8", "surrogatepass").decode("latin-1") for secret in known}
        self._leaks = [_Needle(secret, min(LEAK_LENGTH, len(secret)), any_case=True) for secret in known]
        self._whole = [_Needle(secret, len(secret)) for secret in known]
        self._whole_in_base64 = [form for secret in known for at in range(3) for form in _base64_at(secret, at)]
        shortest = min((needle.length for needle in self._leaks), default=LEAK_LENGTH)
        self._spaced = re.compile(f"(?:[0-9a-fA-F]{{2}}(?:, 0x|[ :,-])){{{shortest - 1},}}[0-9a-fA-F]{{2}}")
        self._base32 = re.compile(f"[A-Za-z2-7]{{{-(-8 * shortest // 5)},}}")
        self._hex = re.compile(f"[0-9a-fA-F]{{{2 * shortest},}}")
        self._runs = re.compile(f"[A-Za-z0-9+/]{{{-(-8 * shortest // 6)},}}")

    def __repr__(self) -> str:
        return "Redactor(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Redactor knows secrets and is never copied or pickled")

    def text(self, text: str) -> str:
        """The text with every word that holds a leak replaced; the same object if none does."""
        if not self.leaks(text):
            return text
        words = re.sub(r"\S+", lambda word: MARK if self.leaks(word[0]) else word[0], text)
        return MARK if self.leaks(words) else words

    def leaks(self, text: str) -> bool:
        """Whether 16 characters of a secret in a row are in the text; of a shorter one, all."""
        return self._finds(self._leaks, text)

    def holds_secret(self, text: str) -> bool:
        """Whether a whole secret is in the text."""
        return self._finds(self._whole, text) or any(form in text for form in self._whole_in_base64)

    def _finds(self, needles: list[_Needle], text: str) -> bool:
        if not needles:
            return False
        decoded = (piece for reading in self._readings(text) for piece in (reading, *self._decoded(reading)))
        return any(needle.is_in(piece) for piece in decoded for needle in needles)

    def _readings(self, text: str) -> Iterator[str]:
        """The text as it is, and without its escapes."""
        for _ in range(MAX_ESCAPED + 1):
            yield text
            plain = text
            for _ in range(MAX_PERCENT_ENCODED):
                if "%" not in plain:
                    break
                plain = _PERCENT.sub(_character, plain)
                yield plain
            escaped = text
            text = _ESCAPE.sub(_character, escaped)
            if text == escaped:
                break

    def _decoded(self, text: str) -> Iterator[str]:
        """What every run of hex or base64 stands for. A run may begin in the middle of what was encoded."""
        for pairs in self._spaced.findall(text):
            yield binascii.unhexlify("".join(_PAIR.findall(pairs))).decode("latin-1")
        for run in self._base32.findall(text):
            for start in range(8):
                yield b32decode(run[start : start + (len(run) - start) // 8 * 8].upper()).decode("latin-1")
        for run in self._runs.findall(text.translate(_URL_SAFE)):
            for digits in self._hex.findall(run):
                for start in range(2):
                    yield binascii.unhexlify(digits[start : start + (len(digits) - start) // 2 * 2]).decode("latin-1")
            for start in range(4):
                part = run[start:]
                yield binascii.a2b_base64(part + "A" * (-len(part) % 4)).decode("latin-1")


def _base64_at(secret: str, offset: int) -> tuple[str, str]:
    """What base64 and base64url make of a whole secret behind so many bytes, without what others have a part in."""
    data = b"\0" * offset + secret.encode("utf-8", "surrogatepass")
    first, last = -(-8 * offset // 6), 8 * len(data) // 6
    return b64encode(data).decode()[first:last], urlsafe_b64encode(data).decode()[first:last]


class _Needle:
    """Finds any `length` characters in a row of one secret, in time linear in the text."""

    __slots__ = ("_any_case", "_chunks", "_windows", "length")

    def __init__(self, secret: str, length: int, *, any_case: bool = False) -> None:
        self.length = length
        self._any_case = any_case
        if any_case:
            secret = secret.lower()
        self._windows = frozenset(secret[at : at + length] for at in range(len(secret) - length + 1))
        # Each window holds one of these, and a search for a few texts is much faster than a look at every place.
        half = (length + 1) // 2
        self._chunks = [secret[at : at + half] for at in range(0, len(secret) - half + 1, half)]

    def is_in(self, text: str) -> bool:
        if self._any_case:
            text = text.lower()
        if not any(chunk in text for chunk in self._chunks):
            return False
        return any(text[at : at + self.length] in self._windows for at in range(len(text) - self.length + 1))


def _character(escape: re.Match[str]) -> str:
    found = escape[escape.lastindex or 1]
    return found if escape.lastindex == 3 else chr(int(found, 16))
