"""Support: the canaries (secrets and people that exist nowhere else), and the search for them in whatever came out.

Two rules are searched for. A key may be nowhere, in any encoding. Of people, numbers may be nowhere, and names not on
stderr; the creditor's name and the purpose may be in results and in the ledger.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from tests.server import canary

Exit = Literal["stdout", "stderr", "file"]


class Hidden(str):
    """A canary that pytest does not print with the values of a failed test."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<a canary>"


def iban(country: str, rest: str) -> str:
    """The IBAN of an account, with its check digits (ISO 13616)."""
    number = int("".join(str(int(character, 36)) for character in f"{rest}{country}00"))
    return f"{country}{98 - number % 97:02}{rest}"


# Not keys: drawn once, with all that URLs, base64 and forms treat specially.
KEY = Hidden("Kn4ry/9fQ+2ZtW=m4xK/dRa8Yc+3uH7=")
KEY_OF_FILE = Hidden("zV=c8/Jw5+pLq1/TgB+7nE=yS3/oD0+aF")
KEY_OF_PLACEHOLDER = Hidden("Ux6/hG+4rM=iC9+eP/2bN=vX8/kZ1+sO")

# Nobody's numbers: dates that cannot be.
CREDITOR_SSN = Hidden("6339476289")
APPROVER_SSN = Hidden("7138520969")
CREDITOR_BBAN = Hidden("015926837461")
OTHER_BBAN = Hidden("030113948275")
DEBTOR_BBAN = Hidden("053726594813")
CREDITOR_IBAN = Hidden(iban("IS", CREDITOR_BBAN + CREDITOR_SSN))

CREDITOR_NAME = Hidden("Kanarína Gulfjaðrar")
PURPOSE = Hidden("Fræ handa kanarífuglum")

KEYS = {"the key": KEY, "the file's key": KEY_OF_FILE, "the placeholder": KEY_OF_PLACEHOLDER}
NUMBERS = {
    "the creditor's kennitala": CREDITOR_SSN,
    "the approver's kennitala": APPROVER_SSN,
    "the creditor's account": CREDITOR_BBAN,
    "another account": OTHER_BBAN,
    "the debtor's account": DEBTOR_BBAN,
}
NAMES = {"the creditor's name": CREDITOR_NAME, "the purpose": PURPOSE}

_BETWEEN_DIGITS = re.compile(r"(?<=\d)(?:[\s.,/\u00a0\u2010-\u2015-]|\\n){1,3}(?=\d)")
_RUN = re.compile("[^\x00-\x08\x0e-\x1f\x7f\ufffd]{4,}")
_NAME_WORD_LENGTH = 6


class Haul:
    """What came out of processes, by channel: one exit of one scene."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, Exit], str] = {}

    def add(self, scene: str, exit_: Exit, out: str | bytes, detail: str = "") -> None:
        """Keep what came out. Nothing is no channel."""
        text = out if isinstance(out, str) else out.decode("utf-8", "replace")
        if exit_ == "file":
            # A write-ahead log repeats its pages again and again, padded with NUL: each run of text once is enough.
            text = "\n".join(dict.fromkeys(_RUN.findall(text.replace("\0", ""))))
        if text:
            channel = (f"{scene} > {detail or exit_}", exit_)
            self._texts[channel] = self._texts.get(channel, "") + text + "\n"

    @property
    def channels(self) -> list[str]:
        """The names of the channels that something came out of."""
        return sorted(name for name, _ in self._texts)

    def words(self, pattern: str) -> set[str]:
        """What a pattern's group is, wherever it matches."""
        return {word for text in self._texts.values() for word in re.findall(pattern, text)}

    def leaks(self) -> list[str]:
        """Every find: channel, canary and encoding, and never the canary itself."""
        # All at once first: the search is thorough and slow, and nearly always in vain.
        if not [name for exit_ in ("stdout", "stderr", "file") for name in _finds("\n".join(self._of(exit_)), exit_)]:
            return []
        return [f"{name}: {found}" for (name, exit_), text in self._texts.items() for found in _finds(text, exit_)]

    def _of(self, wanted: Exit) -> Iterable[str]:
        return (text for (_, exit_), text in self._texts.items() if exit_ == wanted)


def _finds(text: str, exit_: Exit) -> list[str]:
    found = [f"{who}, {how}" for who, key in KEYS.items() for how in canary.find(key, text)]
    found += [f"{who}, {how}" for who, number in NUMBERS.items() for how in _number_in(number, text)]
    if exit_ == "stderr":
        found += [f"{who}, {how}" for who, name in NAMES.items() for how in _name_in(name, text)]
    return found


def _number_in(number: str, text: str) -> list[str]:
    """In how many ways a number of a person is there: grouped in any way, or encoded."""
    views = (text, _BETWEEN_DIGITS.sub("", text), "".join(text.split()))
    return sorted(name for name, needle in _encoded(number).items() if any(needle in view for view in views))


def _name_in(name: str, text: str) -> list[str]:
    """In how many ways a name is there, whole or one of its longer words, in any case."""
    folded = text.lower()
    words = [word for word in name.split() if len(word) >= _NAME_WORD_LENGTH]
    return sorted(
        {how for word in words for how, needle in _encoded(word).items() if needle in text or needle.lower() in folded}
    )


@lru_cache
def _encoded(text: str) -> dict[str, str]:
    return {name: needle for name, needle in canary.encodings_of(text).items() if len(needle) >= _NAME_WORD_LENGTH}
