"""Names that look the same to a person, compared by what they look like and not by their code points.

After the idea of Unicode's UTS #39 (a *skeleton* for each name), with the letters that an Icelandic payee's name can be
forged from. It is for a warning and never for a decision: two people may well have names that look alike.
"""

from __future__ import annotations

import unicodedata
from itertools import filterfalse

# By Latin letter: capitals and small letters of other alphabets, rarer Latin ones and digits that look like it.
_LOOKS_LIKE = {
    "a": "АаΑαɑ", "b": "ВвБЬьΒβ", "c": "Сс", "d": "ԀԁđĐðÐ", "e": "ЕеΕεҽ", "f": "Ϝϝ", "g": "Ԍԍɡ", "h": "НһҺΗհ",
    "i": "ІіΙιı", "j": "Јјϳ", "k": "КкΚκ", "l": "ӀӏłŁꞁ1|", "m": "МмΜ", "n": "ΝηՈո", "o": "ОоΟοՕօØø0", "p": "РрΡρþÞ",
    "q": "Ԛԛ", "r": "гГ", "s": "ЅѕՏ5", "t": "ТтΤτ", "u": "υսՍ", "v": "νѴѵ", "w": "ԜԝωШш", "x": "ХхΧχ", "y": "УуΥγү",
    "z": "Ζ", "ae": "ÆæӔӕ", "oe": "Œœ",
}  # fmt: skip
_LETTERS = str.maketrans({foreign: latin for latin, those in _LOOKS_LIKE.items() for foreign in those})
_TOGETHER = (("i", "l"), ("rn", "m"), ("vv", "w"), ("cl", "d"))
"""What looks alike only once the rest is plain: a capital I and an l, and letters that run together."""


def skeleton(name: str) -> str:
    """What two names have in common if a person could take one for the other; `""` if nothing is left to compare."""
    bare = "".join(filterfalse(unicodedata.combining, unicodedata.normalize("NFKD", name)))
    plain = bare.translate(_LETTERS).casefold()
    for two, one in _TOGETHER:
        plain = plain.replace(two, one)
    return "".join(filter(str.isalnum, plain))


def spelling(name: str) -> str:
    """A name's letters and digits as they are: case, spaces and punctuation make no other name."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", name).casefold()))


def mixes_alphabets(name: str) -> bool:
    """Whether letters of more than one alphabet stand in the name: Latin ones with Cyrillic ones among them, say."""
    letters = filter(str.isalpha, unicodedata.normalize("NFKC", name))
    # A modifier, the glottal stop of Hawaiʻi for one, belongs to no alphabet.
    letters = (letter for letter in letters if unicodedata.category(letter) != "Lm")
    return len({unicodedata.name(letter, "").partition(" ")[0] for letter in letters}) > 1
