"""What the redactor promises, held against a finder that shares nothing with it."""

import copy
import io
import json
import pickle
import random
import re
import string
import sys
import time
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blikk_mcp.redaction import encodings
from blikk_mcp.redaction.redactor import MARK, Redactor
from blikk_mcp.redaction.streams import HELD_BACK, HELD_BACK_AT_MOST
from tests.server import canary

# Not keys: characters drawn once, with all that encoders treat specially.
SECRET = r"Zq7/+vT=r.k_W-9x:bLe?~mY&h<J>" + r"4'u%\2dH#c!S" + '"oP{8g}nK,@^6|f'
PLAIN_SECRET = "bk7Live/9fQ+2ZtW_m4xKdRa8.Yc3=uH"
SECRETS = {"every kind of character": SECRET, "an ordinary key": PLAIN_SECRET}
ENCODINGS = sorted(canary.encodings_of(SECRET))

WRAPS = {"newline": "\n", "crlf": "\r\n", "indentation": "\n    ", "space": " ", "json newline": r"\n"}
WRAPS["json crlf"] = r"\r\n"

# What a secret may look like: visible, not made of backslashes, which encoders double at will, and not our mark.
visible = "".join(chr(code) for code in range(0x21, 0x7F))
secrets = st.text(visible, min_size=8, max_size=80).filter(
    lambda secret: len(secret.replace("\\", "")) >= 8 and len(set(secret)) > 4 and "redact" not in secret.lower()
)
surroundings = st.text(max_size=40) | st.text(visible, max_size=40) | st.text('\\"%&#x0u;n\n ', max_size=12)

ORDINARY = [
    json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "create_payment"}}),
    json.dumps({"jsonrpc": "2.0", "id": 2, "result": {"content": [{"type": "text", "text": '{"a":"b\\n"}'}]}}),
    json.dumps({"jsonrpc": "2.0", "id": 3, "error": {"code": -32602, "message": "amount: 5.0 is not an integer"}}),
    json.dumps({"at": "2026-07-14T12:34:56.789+00:00", "level": "info", "event": "tool_call", "took_ms": 182}),
    json.dumps({"name": "Þórunn Ægisdóttir", "note": "1 < 2 && 'x' \"y\"", "path": "C:\\new\\table"}),
    "GET https://api.example/v1/payments?from=2026-01-01T00%3A00%3A00Z&state=a%20b&page=2 200 OK",
    "&lt;p&gt;Fish &amp; chips&#44; 100&#37; &quot;fresh&quot;&lt;/p&gt; \\u00e1 \\x1b[0m",
    "id 9b2f6a3e-51c7-4c8e-9d0f-0f6f1d2a7c11 sha256 " + "0123456789abcdef" * 4,
    "MAC 6b:65:79:2d:31:32, bytes 0x7f, 0x45, 0x4c, 0x46, 0x02",
    "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2ln, -----BEGIN KEY-----",
    'Traceback (most recent call last):\n  File "/app/x.py", line 3, in <module>\n    raise KeyError("no")\n',
]


class Hidden(str):
    """A secret that pytest does not print with the arguments of a failed test."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<a secret>"


@pytest.fixture(scope="module", params=sorted(SECRETS))
def secret(request: pytest.FixtureRequest) -> str:
    return Hidden(SECRETS[request.param])


def check(holds: bool, what: str = "the text is another") -> None:
    """Fails without showing a secret, as an `assert` on text would."""
    if not holds:
        pytest.fail(what, pytrace=False)


def check_clean(secret: str, text: str, what: str = "found") -> None:
    names = canary.find(secret, text)
    check(not names, f"{what}: {', '.join(names)}")


def check_text(clean: str, expected: str, what: str = "the text is another") -> None:
    """The text is as expected, save for quotes in the secret: they are JSON's own or not, and stay."""
    check(re.sub(r'\[redacted\](\\*"(\[redacted\])?)+', MARK, clean) == expected, what)


def test_the_finder_knows_at_least_fourteen_encodings() -> None:
    """Ours: the canary harness searches for at least fourteen."""
    assert len(set(canary.encodings_of(SECRET).values())) >= 14


@pytest.mark.parametrize("name", ENCODINGS)
def test_the_finder_finds_each_encoding_whole_and_cut_off(name: str, secret: str) -> None:
    """A finder that finds nothing would pass everything."""
    encoding = canary.encodings_of(secret)[name]

    check(bool(canary.find(secret, f"<{encoding}>")), "missed")
    check(bool(canary.find(secret, f"<{encoding[: len(encoding) * 2 // 3]}>")), "missed when cut off")
    check_clean(secret, "nothing in here")


@pytest.mark.parametrize("name", ENCODINGS)
def test_no_encoding_of_a_secret_goes_out(name: str, secret: str) -> None:
    """Ours: every known encoding of the key is redacted, at every exit."""
    encoding = canary.encodings_of(secret)[name]

    clean = Redactor([secret]).text(f"before {{{encoding}}} after")

    check_clean(secret, clean)
    check(clean.startswith("before {") and clean.endswith("} after"), "the surroundings changed")


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_secret_cut_off_after_ten_characters_is_still_redacted(name: str, secret: str) -> None:
    """Error texts echo the first part of what was sent; ten characters of a key are too many."""
    encoding = canary.encodings_of(secret)[name]
    redactor = Redactor([secret])

    for length in (*range(10, 24), *range(24, len(encoding), 7)):
        check_clean(secret, redactor.text(f"<<{encoding[:length]}…"), f"cut at {length}")


def test_the_end_of_a_secret_is_redacted_from_ten_characters_on(secret: str) -> None:
    """A log that keeps "the last characters" of a line keeps the end of a key."""
    redactor = Redactor([secret])

    for length in range(10, len(secret)):
        clean = redactor.text(f"…{secret[-length:]} after")
        check_clean(secret, clean, f"the last {length}")
        check(clean.startswith("…") and clean.endswith("[redacted] after"))


def test_the_middle_of_a_secret_is_redacted_from_ten_characters_on() -> None:
    """A dump in columns shows a key without its beginning."""
    redactor = Redactor([PLAIN_SECRET])

    for start in range(len(PLAIN_SECRET) - 10):
        check_text(redactor.text(f"| {PLAIN_SECRET[start : start + 10]} |"), "| [redacted] |", f"from {start}")


@pytest.mark.parametrize("name", ["plain", "reversed", "base64 at 0", "base64url at 1", "hex lower case"])
@pytest.mark.parametrize("wrap", sorted(WRAPS))
@pytest.mark.parametrize("width", [1, 7, 16, 64, 76])
def test_a_secret_wrapped_over_lines_is_redacted(name: str, wrap: str, width: int, secret: str) -> None:
    """MIME wraps base64 at 64 or 76; terminals and JSON wrap anything anywhere."""
    encoding = canary.encodings_of(secret)[name]
    wrapped = WRAPS[wrap].join(encoding[at : at + width] for at in range(0, len(encoding), width))

    check_text(Redactor([secret]).text(f"({wrapped})"), "([redacted])")


@pytest.mark.parametrize("name", ["plain", "base64 at 2", "hex upper case"])
def test_a_line_break_between_any_two_characters_hides_nothing(name: str, secret: str) -> None:
    """A line breaks where it is full, not where we expect it."""
    encoding = canary.encodings_of(secret)[name]
    redactor = Redactor([secret])

    for at in range(1, len(encoding)):
        for wrap in WRAPS.values():
            clean = redactor.text(f"({encoding[:at]}{wrap}{encoding[at:]})")
            check_text(re.sub(r"\\[nr]|\s", "", clean), "([redacted])", f"broken at {at}")


@pytest.mark.parametrize("before", range(6))
def test_a_secret_inside_a_larger_base64_blob_is_redacted(before: int, secret: str) -> None:
    """HTTP Basic puts `user:key` into base64, so the key starts at any of three alignments."""
    found = encodings.base64.b64encode(b"u" * before + secret.encode() + b":more").decode()

    check_clean(secret, Redactor([secret]).text(f"Authorization: Basic {found}"))


@pytest.mark.parametrize(("before", "start", "end"), [(0, 0, 51), (1, 2, 52), (2, 4, 54), (3, 5, 56), (4, 7, 57)])
def test_of_a_base32_blob_all_goes_that_the_secret_alone_determines(before: int, start: int, end: int) -> None:
    """Base32 writes five bits a character, so 32 characters of a key start at any of five alignments."""
    blob = encodings.base64.b32encode(b"u" * before + PLAIN_SECRET.encode()).decode()

    check_text(Redactor([PLAIN_SECRET]).text(blob), f"{blob[:start]}[redacted]{blob[end:]}")


def test_escapes_may_be_mixed_within_one_secret() -> None:
    """Encoders escape the characters they please: .NET writes `+` as `\\u002B`, PHP `/` as `\\/`."""
    ways: list[Callable[[str], str]] = [
        str,
        lambda c: f"%{ord(c):02X}",
        lambda c: f"\\u{ord(c):04x}",
        lambda c: f"&#{ord(c)};",
        lambda c: f"\\x{ord(c):02x}",
    ]
    chooser = random.Random(5)
    redactor = Redactor([PLAIN_SECRET])

    for _ in range(50):
        mixed = "".join(chooser.choice(ways)(character) for character in PLAIN_SECRET)
        check_text(redactor.text(f"<{mixed}>"), "<[redacted]>")


def test_hex_bytes_with_separators_wrapped_inside_json_are_redacted() -> None:
    """A dump of four bytes a line, quoted in an answer: no line alone is long enough to be recognised."""
    data = PLAIN_SECRET.encode()
    dump = r"\n".join(data[at : at + 4].hex(":") for at in range(0, len(data), 4))

    check_text(Redactor([PLAIN_SECRET]).text(f"({dump})"), "([redacted])")


def test_half_a_character_hides_nothing_and_breaks_nothing() -> None:
    """An environment variable that is not UTF-8 arrives as lone surrogates, and so does broken JSON."""
    secret = "lykill-\udce1-0123456"

    check_text(Redactor([secret]).text(f"\ud800<{secret}>"), "\ud800<[redacted]>")


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        (r"ab\Ncd\Tef\Rgh\Nij", r"ab\\ncd\\tef\\rgh\\nij"),
        (r"ab\Ncd\Tef\Rgh\Nij", r"jin\\hgr\\fet\\dcn\\ba"),
        (r"ab\ncd\tef\rgh\nij", "ab%5Cncd%5Ctef%5Crgh%5Cnij"),
    ],
    ids=["in lower case", "in lower case, reversed", "with the backslash encoded"],
)
def test_what_looks_like_an_escape_in_a_secret_hides_nothing(secret: str, text: str) -> None:
    """`\\N` is two characters until somebody writes it in lower case."""
    check_text(Redactor([secret]).text(f"<{text}>"), "<[redacted]>")


@pytest.mark.parametrize("space", ["%20", "%0D%0A", "%7F", "&#32;", "&Tab;", r"\u0020", r"\x20", r"\t"])
def test_an_escaped_space_or_control_character_hides_nothing(space: str) -> None:
    """A wrapped key is escaped together with its wrapping."""
    wrapped = space.join(PLAIN_SECRET[at : at + 3] for at in range(0, len(PLAIN_SECRET), 3))

    check_text(Redactor([PLAIN_SECRET]).text(f"({wrapped})"), "([redacted])")


@pytest.mark.parametrize("entity", ["&nosuch;", "&NotEqualTilde;"])
def test_an_entity_that_is_no_one_character_stays_and_hides_nothing(entity: str) -> None:
    """Not all that looks like an entity is one, and some stand for two characters."""
    redactor = Redactor([PLAIN_SECRET])

    for name in ("plain", "html, decimal"):
        encoding = canary.encodings_of(PLAIN_SECRET)[name]
        check_text(redactor.text(f"{entity}{encoding}{entity}"), f"{entity}[redacted]{entity}", name)


def test_what_stands_around_a_secret_hides_it_in_no_more_views_than_there_are() -> None:
    """`ab:41` looks like hex bytes, `%41` like a URL escape, and neither is: only reading it as JSON finds it."""
    check_text(Redactor([":41Zq/7w%4"]).text(r"ab:41Zq\/7w%41"), "ab[redacted]1")


def test_two_secrets_side_by_side_are_one_piece() -> None:
    """Ours: the mark does not tell how many there were."""
    check_text(Redactor([PLAIN_SECRET, "hun-ter"]).text(f"<{PLAIN_SECRET}hun-ter>"), "<[redacted]>")


def test_any_of_several_secrets_is_redacted() -> None:
    """In HTTP mode the process knows the key and a bearer token."""
    redactor = Redactor([SECRET, PLAIN_SECRET, ""])

    check_text(redactor.text(f"{SECRET} and {PLAIN_SECRET}"), "[redacted] and [redacted]")


def test_a_white_space_around_a_key_does_not_hide_it() -> None:
    """A key read from a file often ends in a newline; HTTP libraries then quote it in their error."""
    check_text(Redactor([f"{PLAIN_SECRET}\n"]).text(f"bad header: {PLAIN_SECRET}"), "bad header: [redacted]")


@pytest.mark.parametrize(
    "secret", ["lykill-þæö-0123-ŽŽ", "þæðöáéíóúýß", "😀😁😂🤣😃😄😅😆"], ids=["some of it", "all of it", "emoji"]
)
def test_a_secret_outside_ascii_is_redacted_too(secret: str) -> None:
    """A pasted key can hold anything; the error about it quotes it."""
    redactor = Redactor([secret])

    for name in ("plain", "url", "hex lower case", "base64 at 0", "json", "json in json"):
        encoding = canary.encodings_of(secret)[name]
        check_text(redactor.text(f"<{encoding}>"), "<[redacted]>", name)


def test_a_short_secret_is_redacted_whole_only() -> None:
    """Ours: a part of a short secret is an ordinary word."""
    redactor = Redactor(["hun-ter"])

    assert redactor.text("x hun-ter x%68%75n-ter hun-te") == "x [redacted] x[redacted] hun-te"


def test_four_characters_are_enough_for_a_secret() -> None:
    """Ours: the least that is told from ordinary text."""
    assert Redactor(["ab1z"]).text("x ab1z ab1") == "x [redacted] ab1"


def test_a_backslash_before_a_short_secret_hides_nothing() -> None:
    """Of a path, the first look takes `\\n` for a line break, which leaves too little of a short secret."""
    check_text(Redactor([r"nabc\def"]).text(r"C:\nabc\def"), "C:[redacted]")


@pytest.mark.parametrize("secret", ["abc", "a", r"\\\\\\\\"], ids=["three", "one", "backslashes"])
def test_a_secret_that_is_no_secret_is_refused(secret: str) -> None:
    """Ours: redacting every `abc` would wreck all output and protect nothing."""
    with pytest.raises(ValueError, match="4 characters or more"):
        Redactor([secret])


def test_without_secrets_text_passes_as_it_is() -> None:
    """`doctor` and `--help` run before there is a key."""
    text = "anything"

    assert Redactor([]).text(text) is text
    assert Redactor(["", " \n"]).text(text) is text


@pytest.mark.parametrize("number", range(len(ORDINARY)))
def test_ordinary_messages_and_log_lines_do_not_change(number: int, secret: str) -> None:
    """A redactor that mangles answers breaks payments."""
    text = ORDINARY[number]

    assert Redactor([secret]).text(text) is text
    assert Redactor([secret]).text(json.dumps(text)) == json.dumps(text)


@given(text=st.text() | st.text(visible) | st.text('\\"%&#x0u;n', max_size=60))
def test_random_text_without_the_secret_does_not_change(text: str) -> None:
    """Nothing but the secret is ours to take out."""
    assert Redactor([PLAIN_SECRET]).text(text) == text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(secret=secrets, before=surroundings, after=surroundings)
def test_no_encoding_of_any_secret_in_any_surroundings_goes_out(secret: str, before: str, after: str) -> None:
    """Ours: keys may hold any visible character, and text around them can look like an escape."""
    redactor = Redactor([secret])
    before = before if len(secret) >= 12 else f"{before} "  # a lone % may swallow two of a short one

    for name, encoding in canary.encodings_of(secret).items():
        check_clean(secret, redactor.text(f"{before}{encoding}{after}"), name)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(secret=secrets, before=surroundings, after=surroundings)
def test_serialised_json_stays_json(secret: str, before: str, after: str) -> None:
    """The redactor sits after serialisation; an answer that is no longer JSON is lost."""
    redactor = Redactor([secret])
    before = before if len(secret) >= 12 else f"{before} "
    encoded = canary.encodings_of(secret).values()
    record = {f"{number}": f"{before}{encoding}{after}" for number, encoding in enumerate(encoded)}
    for ascii_only in (True, False):
        line = json.dumps({"content": [{"text": json.dumps(record)}], "record": record}, ensure_ascii=ascii_only)

        clean = redactor.text(line)

        kept = json.loads(clean)
        assert list(kept["record"]) == list(record)
        assert isinstance(json.loads(kept["content"][0]["text"]), dict)
        check_clean(secret, clean)


@pytest.mark.parametrize("cut", range(1, 8))
def test_a_closing_quote_is_not_taken_for_a_character_of_the_secret(cut: int) -> None:
    """JSON's own quote can stand where the secret has one."""
    secret = "abcdefghi" + "jklmnop"[:cut] + '"' + "qrstuvwxyz"

    clean = Redactor([secret]).text(json.dumps({"a": secret.partition('"')[0], "b": "x"}))

    assert json.loads(clean)["b"] == "x"


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("n0123456789ab", "\n0123456789ab"),
        ("e10123456789ab", "\u00e10123456789ab"),
        ("0123456789ab\\", '0123456789ab"'),
        ("0123456789ab\\", "0123456789ab\n"),
        ("\\0123456789ab", "\\\\0123456789ab"),
        ("u00e1234567890", "\u00e1234567890"),
        ('"0123456789ab', '"0123456789ab'),
    ],
    ids=[
        "newline",
        "hex digits",
        "quote at the end",
        "newline at the end",
        "backslashes",
        "whole escape",
        "quote",
    ],
)
def test_no_escape_is_cut_in_two(secret: str, text: str) -> None:
    """Half an escape makes the whole message invalid."""
    clean = Redactor([secret]).text(json.dumps({"a": text, "b": "x"}))

    assert "[redacted]" in json.loads(clean)["a"]
    assert json.loads(clean)["b"] == "x"


@pytest.mark.parametrize(
    ("secret", "text", "expected"),
    [
        ("0123456789ab\\", '0123456789ab"', '[redacted]"'),
        ("0123456789ab\\", "0123456789ab\n", "[redacted]\n"),
        ("0123456789ab\\", "0123456789ab\u00e1", "[redacted]\u00e1"),
        ("e10123456789ab", "x\u00e10123456789ab", "x[redacted]"),
        ("n0123456789ab", "x\n0123456789ab", "x[redacted]"),
    ],
    ids=["quote", "newline", "hex digits", "hex digits before", "newline before"],
)
def test_an_escape_next_to_a_secret_goes_whole_or_stays_whole(secret: str, text: str, expected: str) -> None:
    """What is left still says what it said."""
    clean = Redactor([secret]).text(json.dumps({"a": text}))

    check(json.loads(clean) == {"a": expected})


def test_an_escape_with_capital_digits_next_to_a_secret_goes_whole() -> None:
    """.NET writes `\\u00E1` where Python writes `\\u00e1`."""
    clean = Redactor(["10123456789ab"]).text(r'{"a": "x\u00E10123456789ab"}')

    check(json.loads(clean) == {"a": "x[redacted]"})


@pytest.mark.parametrize(
    ("secret", "text", "expected"),
    [
        ('abcdefgh":"ijklmnop', '{"abcdefgh":"ijklmnop"}', '{"[redacted]":"[redacted]"}'),
        ('abcdefghijkl":[', '{"abcdefghijkl":[1]}', '{"[redacted]":[1]}'),
    ],
    ids=["between two strings", "at the end"],
)
def test_what_holds_json_together_stays(secret: str, text: str, expected: str) -> None:
    """A secret with quotes, colons and brackets in it looks like JSON's own."""
    check(Redactor([secret]).text(text) == expected)


@pytest.mark.parametrize("family", ["plain", "reversed", "hex", "base64", "base32"])
def test_a_form_left_out_of_the_redactor_is_found(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted leak: shows that these tests bite."""
    whole = encodings.forms

    def without(secret: str) -> dict[str, str]:
        return {name: form for name, form in whole(secret).items() if not name.startswith(family)}

    monkeypatch.setattr(encodings, "forms", without)
    redactor = Redactor([PLAIN_SECRET])
    planted = {name: text for name, text in canary.encodings_of(PLAIN_SECRET).items() if name.startswith(family)}

    leaked = [name for name, text in planted.items() if canary.find(PLAIN_SECRET, redactor.text(text))]
    assert leaked == list(planted)


@pytest.mark.parametrize("at", range(3))
def test_a_base64_alignment_left_out_of_the_redactor_is_found(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted leak: two of three alignments are the usual mistake."""
    whole = encodings.forms

    def without(secret: str) -> dict[str, str]:
        return {name: form for name, form in whole(secret).items() if name[-4:] != f"at {at}"}

    monkeypatch.setattr(encodings, "forms", without)
    leaked = Redactor([PLAIN_SECRET]).text(canary.encodings_of(PLAIN_SECRET)[f"base64 at {at}"])

    names = canary.find(PLAIN_SECRET, leaked)
    assert f"base64 at {at}" in names


@pytest.mark.parametrize(
    ("view", "name"),
    [
        ("escaped", "url, every byte"),
        ("escaped", "html, decimal"),
        ("escaped", "html, hexadecimal"),
        ("separated", "hex with colons"),
        ("separated", "hex with prefixes"),
    ],
)
def test_a_view_left_out_of_the_redactor_is_found(view: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted leak."""
    monkeypatch.delitem(encodings.VIEWS, view)

    names = canary.find(PLAIN_SECRET, Redactor([PLAIN_SECRET]).text(canary.encodings_of(PLAIN_SECRET)[name]))
    assert name in names


def test_the_first_look_misses_nothing_the_exact_search_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look is only for speed: with it or without it, the answer is the same."""
    texts = [f"{'.' * shift}{text}" for text in canary.encodings_of(SECRET).values() for shift in range(8)]
    texts += [text[cut:] for text in texts for cut in (20, 31)]
    redactor = Redactor([SECRET])
    quick = [redactor.text(text) for text in texts]

    def always(*_: object) -> bool:
        return True

    monkeypatch.setattr(Redactor, "_is_suspicious", always)

    check(quick == [redactor.text(text) for text in texts])


@pytest.mark.parametrize(
    ("secret", "text", "expected"),
    [
        ("abcd123", "abcd123", "[redacted]"),
        ("abcd123", "abcd123 abcd000 abcd999", "[redacted] abcd000 abcd999"),
        ("abcd123", "abcd000 abcd123 abcd999", "abcd000 [redacted] abcd999"),
        ("abcd123", "abcd000 abcd999 abcd123", "abcd000 abcd999 [redacted]"),
        ("aaaa123", "zzzaaaaa123", "zzza[redacted]"),
    ],
    ids=["alone", "first", "in the middle", "last", "overlapping"],
)
def test_the_first_look_looks_at_every_place_that_could_be_a_secret(secret: str, text: str, expected: str) -> None:
    """Ours: four characters in common are common; what matters is whether more follows at any of these places."""
    check_text(Redactor([secret]).text(text), expected)


def test_ordinary_text_is_not_read_for_an_exact_search(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly all text is clean, so the first look has to be enough for it."""
    redactor = Redactor([secret])

    def read(*_: object) -> encodings.Reading:
        pytest.fail("clean text was read")

    monkeypatch.setattr(encodings, "read", read)

    for text in ORDINARY:
        assert redactor.text(text) is text


def test_a_redactor_does_not_show_what_it_knows() -> None:
    """Local-variable dumps, pickles and `vars()` were seen leaking keys from what holds them."""
    redactor = Redactor([PLAIN_SECRET])

    assert repr(redactor) == "Redactor(...)"
    for shown in (repr(redactor), str(redactor), f"{redactor!r:>5}"):
        check_clean(PLAIN_SECRET, shown)
    with pytest.raises(TypeError, match="__dict__"):
        vars(redactor)
    with pytest.raises(TypeError, match=r"^a Redactor knows secrets and is never copied or pickled$"):
        pickle.dumps(redactor)
    with pytest.raises(TypeError, match="never copied"):
        copy.deepcopy(redactor)


@pytest.mark.parametrize(
    "piece",
    [
        PLAIN_SECRET,
        PLAIN_SECRET[:9],
        PLAIN_SECRET[:12],
        PLAIN_SECRET[:9] + "\n",
        "".join(f"\\u{ord(character):04x}" for character in PLAIN_SECRET[:9]),
        "aaaa",
        "\\",
        "&amp;",
        "%25",
        '"',
        " ",
        "6b:",
        "0x",
    ],
    ids=range(13),
)
def test_a_megabyte_of_near_misses_takes_linear_time(piece: str) -> None:
    """A hostile answer must not stop the server: no search that goes back and forth."""
    redactor = Redactor([PLAIN_SECRET, "a" * 40])
    times: list[float] = []
    for size in (100_000, 1_000_000):
        text = piece * (size // len(piece))
        start = time.process_time()
        redactor.text(text)
        times.append(time.process_time() - start)

    assert times[1] < 30 * max(times[0], 0.01), times
    assert times[1] < 20, times


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("size", [1, 2, 7, 50])
def test_a_stream_gives_what_the_whole_text_would(name: str, size: int, secret: str) -> None:
    """Ours: a secret written in pieces is redacted as if it were written at once."""
    redactor = Redactor([secret])
    text = f"before\n <<{canary.encodings_of(secret)[name]}>> after" + "." * 200
    stream = redactor.stream()

    pieces = [stream.write(text[at : at + size]) for at in range(0, len(text), size)]

    check("".join([*pieces, stream.flush()]) == redactor.text(text))


def test_a_stream_holds_back_a_bounded_amount() -> None:
    """A limit on everything: a secret that never ends is not waited for."""
    stream = Redactor([PLAIN_SECRET]).stream()
    ordinary = sum(len(stream.write("word ")) for _ in range(1000))
    assert ordinary >= 5000 - HELD_BACK

    given = "".join(stream.write(PLAIN_SECRET * 10) for _ in range(HELD_BACK_AT_MOST // 50))

    assert "[redacted]" in given
    check_clean(PLAIN_SECRET, given + stream.flush())


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_whatever_the_pieces_and_flushes_nothing_goes_out(data: st.DataObject) -> None:
    """`print` writes text and newline apart; tracebacks come in dozens of pieces."""
    text = data.draw(surroundings) + PLAIN_SECRET + data.draw(surroundings)
    encoding = data.draw(st.sampled_from(sorted(canary.encodings_of(PLAIN_SECRET).values())))
    left = f"{text}{encoding}{data.draw(surroundings)}"
    target = io.StringIO()
    stderr = Redactor([PLAIN_SECRET]).wrap(target)
    while left:
        length = data.draw(st.integers(1, 30))
        stderr.write(left[:length])
        left = left[length:]
        if data.draw(st.booleans()):
            stderr.flush()
    cast("Any", stderr).finish()

    check_clean(PLAIN_SECRET, target.getvalue())


@pytest.mark.parametrize(
    "name",
    [
        *("plain", "reversed", "lower case", "json with escaped slashes", "hex lower case", "base32"),
        *("base64 at 1", "html", "html, decimal", "html, hexadecimal"),
    ],
)
def test_a_flush_in_the_middle_of_a_secret_gives_nothing_of_it_away(name: str) -> None:
    """Whoever flushes knows nothing of secrets, and a beginning cannot be taken back."""
    encoding = canary.encodings_of(PLAIN_SECRET)[name]
    redactor = Redactor([PLAIN_SECRET])

    for at in range(1, len(encoding)):
        target = io.StringIO()
        stderr = redactor.wrap(target)
        stderr.write(f"something before <{encoding[:at]}")
        stderr.flush()
        check(target.getvalue() == "something before <", f"out after {at}")
        stderr.write(f"{encoding[at:]}>")
        cast("Any", stderr).finish()
        check_text(target.getvalue(), "something before <[redacted]>", f"flushed after {at}")


def test_a_flush_before_the_last_character_of_a_short_secret_gives_nothing_of_it_away() -> None:
    """A short secret is recognised whole only, so all but its last character is held back."""
    target = io.StringIO()
    stderr = Redactor(["hun-t+r"]).wrap(target)

    stderr.write("x hun-t+")
    stderr.flush()
    stderr.write("r")
    cast("Any", stderr).finish()

    assert target.getvalue() == "x [redacted]"


def test_a_flush_before_the_last_character_of_a_secrets_end_gives_nothing_of_it_away() -> None:
    """Ten characters from its end are a leak too, so nine of them are held back."""
    end = PLAIN_SECRET[-10:]
    target = io.StringIO()
    stderr = Redactor([PLAIN_SECRET]).wrap(target)

    stderr.write(f"to: {end[:-1]}")
    stderr.flush()
    check(target.getvalue() == "to: ", "out before the last character")
    stderr.write(end[-1])
    cast("Any", stderr).finish()

    check_text(target.getvalue(), "to: [redacted]")


def test_what_may_be_a_cut_escape_is_held_back_no_longer_than_anything_else() -> None:
    """A limit on everything: a run of backslashes has no end of its own."""
    assert Redactor([PLAIN_SECRET]).open_tail("\\" * 400, 1) == 400 - HELD_BACK


def test_a_whole_line_goes_out_at_once() -> None:
    """A message about a crash that comes after the crash helps nobody."""
    target = io.StringIO()
    stderr = Redactor([PLAIN_SECRET]).wrap(target)

    stderr.writelines(["started\n", f"key={PLAIN_SECRET}\n", "half a line"])
    check_text(target.getvalue(), "started\nkey=[redacted]\n")

    stderr.flush()
    assert "started\nkey=[redacted]\nhalf a line".startswith(target.getvalue())
    assert target.getvalue()[24:]

    cast("Any", stderr).finish()
    assert target.getvalue() == "started\nkey=[redacted]\nhalf a line"


def test_a_key_wrapped_over_lines_written_one_by_one_is_held_back() -> None:
    """Each line alone is too short to be recognised."""
    target = io.StringIO()
    stderr = Redactor([PLAIN_SECRET]).wrap(target)

    for at in range(0, len(PLAIN_SECRET), 6):
        stderr.write(f"{PLAIN_SECRET[at : at + 6]}\n")
        stderr.flush()
    stderr.write("done\n")

    check_text(target.getvalue(), "[redacted]\ndone\n")


def test_the_wrapper_stands_in_for_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries ask `sys.stderr` for more than `write`; its byte buffer would bypass redaction."""
    target = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stderr", Redactor([PLAIN_SECRET]).wrap(target))

    sys.stderr.write(f"oops {PLAIN_SECRET}\n")
    sys.stderr.flush()

    assert (sys.stderr.encoding, sys.stderr.isatty(), sys.stderr.closed) == ("utf-8", False, False)
    assert not hasattr(sys.stderr, "buffer")
    target.seek(0)
    check_text(target.read(), "oops [redacted]\n")
    sys.stderr.close()
    assert target.closed


def test_letters_in_another_case_are_the_same_letters() -> None:
    """Header libraries and shells change case."""
    redactor = Redactor([PLAIN_SECRET])

    check_text(redactor.text(PLAIN_SECRET.swapcase()), "[redacted]")
    assert string.ascii_letters == redactor.text(string.ascii_letters)
