"""Takes known secrets out of text on its way out, whatever they were encoded in.

A leak is a run of ten characters of a secret's form (see `encodings`), from its start, its middle or
its end; an escaped character counts as the one it stands for. A secret whose form is shorter than ten
is recognised whole only. Text passes in two stages, because nearly all of it is clean: a first look at
every fourth position against the secret's 4-grams, then, on suspicion, an exact search.

Replacing keeps serialised JSON valid, at any depth: a quote always stays, no escape is cut in two.
Not seen: encryption, compression, an encoding of an encoding (other than escapes), a secret handed out
in pieces of fewer than ten characters with other text between them, and one of fewer than twelve with
escapes in it right after a lone `%`, `&` or backslash that swallows its start.
"""

import re
import string
import sys
from collections.abc import Iterable, Iterator
from typing import AnyStr, NoReturn, TextIO, cast

from blikk_mcp.redaction import encodings
from blikk_mcp.redaction.streams import HELD_BACK, RedactedTextIO, RedactingStream

MARK = "[redacted]"
SHORTEST_LEAK = 10
SHORTEST_SECRET = 4
_SURE = 7  # A run of seven bytes holds one that starts at a multiple of four and is four long.
_LOWER_BYTES = bytes.maketrans(string.ascii_uppercase.encode(), string.ascii_lowercase.encode())
_SEPARATORS = b" \t\n\r\v\f\0\\:,-"
_UNICODE_ESCAPE = re.compile(r"(?<=\\)u[0-9a-fA-F]{0,3}\Z")
_QUOTE = re.compile(r'\\*"')
_JSON_STRUCTURE = "[]{}:, \r\n\t"


class Redactor:
    """Replaces every occurrence of a known secret, in any of its encodings, by `[redacted]`.

    Its attributes hold pieces of the secrets: `repr`, `vars` and `pickle` do not show them, but who
    can read this process's memory can.

    Raises:
        ValueError: a secret has too few characters to be told from ordinary text.
    """

    __slots__ = ("_bodies", "_dropped", "_grams", "_probing", "_sevens", "_views", "_windows")

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {secret.strip() for secret in secrets} - {""}
        self._views = dict(encodings.VIEWS)
        shapes: set[str] = set()
        for secret in known:
            for tokens in self._views.values():
                if len(encodings.read(secret, tokens).units) < SHORTEST_SECRET:
                    raise ValueError(f"a secret needs {SHORTEST_SECRET} characters or more to be redacted")
                shapes.update(encodings.read(form, tokens).units for form in encodings.forms(secret).values())
        self._windows: dict[int, set[str]] = {}
        for shape in shapes:
            size = min(SHORTEST_LEAK, len(shape))
            self._windows.setdefault(size, set()).update(_windows(shape, size))
        # White space is never a unit, so no run of units can cross from one shape into the next.
        self._bodies = "\n".join(shape[:-1] for shape in shapes)

        # What no shape holds is left out of the first look, and so is what separates hex bytes.
        idle = set(range(256)) - set("".join(shapes).encode("utf-8", "surrogatepass"))
        self._dropped = bytes(idle - set(string.ascii_uppercase.encode())) + _SEPARATORS
        probes = [self._probe(window) for windows in self._windows.values() for window in windows]
        # A cut next to a backslash can cost the first look one more character.
        sure = _SURE + any("\\" in secret for secret in known)
        self._probing = all(len(probe) >= sure for probe in probes)
        for secret in known:
            probes.append(self._probe("".join(f"0x{byte:02x}" for byte in secret.encode(errors="replace"))))
        self._grams = frozenset(int.from_bytes(gram, sys.byteorder) for probe in probes for gram in _windows(probe, 4))
        self._sevens = frozenset(seven for probe in probes for seven in _windows(probe, _SURE))

    def __repr__(self) -> str:
        return "Redactor(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Redactor knows secrets and is never copied or pickled")

    def text(self, text: str) -> str:
        """The text without the secrets; the same object if none is in it."""
        spans = self.spans(text)
        return self.replaced(text, spans, 0, len(text)) if spans else text

    def stream(self) -> RedactingStream:
        """For text that is written in pieces."""
        return RedactingStream(self)

    def wrap(self, target: TextIO) -> TextIO:
        """The target with redaction in front of it, for use as `sys.stderr`."""
        return cast("TextIO", RedactedTextIO(self, target))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where the secrets stand, in order and apart, so that replacing them keeps JSON valid."""
        if not self._windows or not self._is_suspicious(text):
            return []
        found: list[tuple[int, int]] = []
        for name, tokens in self._views.items():
            if name == "json" and "\\" not in text:
                continue
            reading = encodings.read(text, tokens)
            for size, windows in self._windows.items():
                units = reading.units
                hits = [at for at in range(len(units) - size + 1) if units[at : at + size] in windows]
                found.extend(reading.span(first, last - 1) for first, last in _merged((at, at + size) for at in hits))
        return [piece for span in _merged(sorted(found)) for piece in _json_safe(text, *span)]

    @staticmethod
    def replaced(text: str, spans: Iterable[tuple[int, int]], start: int, end: int) -> str:
        """The text from `start` to `end` with each span, or the part of it in there, replaced."""
        parts: list[str] = []
        for first, last in spans:
            if last > start and first < end:
                parts += (text[start:first], MARK)
                start = last
        parts.append(text[start:end])
        return "".join(parts)

    def open_tail(self, text: str, least: int) -> int:
        """Where a tail starts of which `least` units or more could be the start of a secret."""
        if not self._windows:
            return len(text)
        offset = max(0, len(text) - HELD_BACK)
        cut = encodings.CUT_ESCAPE.search(text, offset)
        earliest = cut.start() if cut else len(text)
        for tokens in self._views.values():
            reading = encodings.read(text[offset:earliest], tokens)
            for size in range(min(SHORTEST_LEAK - 1, len(reading.units)), least - 1, -1):
                if reading.units[-size:] in self._bodies:
                    earliest = min(earliest, offset + reading.starts[-size])
                    break
        return earliest

    def _is_suspicious(self, text: str) -> bool:
        if not self._probing or self._has_gram(text):
            return True
        hides = "\\" in text or "%" in text or "&" in text
        return hides and bool(encodings.ESCAPED.search(text)) and self._has_gram(encodings.unhidden(text))

    def _probe(self, text: str) -> bytes:
        """The text for the first look: lower case, without what wraps or separates."""
        if "\\" in text:
            for line_break in (r"\n", r"\r", r"\t"):
                text = text.replace(line_break, "")
        return text.encode("utf-8", "surrogatepass").translate(_LOWER_BYTES, self._dropped)

    def _has_gram(self, text: str) -> bool:
        data = self._probe(text)
        hits = self._grams.intersection(memoryview(data)[: len(data) & ~3].cast("I"))
        # Nearly always there are none, and making a generator costs as much as all the rest of this method.
        return bool(hits) and any(self._has_seven(data, gram.to_bytes(4, sys.byteorder)) for gram in hits)

    def _has_seven(self, data: bytes, gram: bytes) -> bool:
        """Whether somewhere around the gram, which many a harmless text holds, stand seven bytes of a secret's form."""
        at = data.find(gram)
        while at >= 0:
            around = data[max(0, at - _SURE + len(gram)) : at + _SURE]
            if not self._sevens.isdisjoint(_windows(around, _SURE)):
                return True
            at = data.find(gram, at + 1)
        return False


def _windows(text: AnyStr, size: int) -> list[AnyStr]:
    return [text[at : at + size] for at in range(len(text) - size + 1)]


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _json_safe(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts of a span that can be replaced if the text is JSON, or JSON within JSON.

    How deep a quote or an escape is meant, only a parser knows. So every quote stays, with its
    backslashes, and a run of backslashes is replaced together with what it escapes or not at all.
    """
    digits = _UNICODE_ESCAPE.search(text, max(0, start - 4), start)
    escaped = digits.start() if digits else start
    backslashes = _backslashes_before(text, escaped)
    if backslashes:
        start = escaped - backslashes
    for quote in _QUOTE.finditer(text, start, end):
        if text[start : quote.start()].strip(_JSON_STRUCTURE):
            yield start, quote.start()
        start = quote.end()
    end -= _backslashes_before(text, end)
    if text[start:end].strip(_JSON_STRUCTURE):
        yield start, end


def _backslashes_before(text: str, end: int) -> int:
    start = end
    while start and text[start - 1] == "\\":
        start -= 1
    return end - start
