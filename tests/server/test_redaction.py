"""What the redactor promises, held against a finder that shares nothing with it."""

from __future__ import annotations

import base64
import copy
import io
import json
import pickle
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any, cast

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blikk_mcp.redaction.messages import IDS, OUR_WORDS, redact_line
from blikk_mcp.redaction.process import redactor_of
from blikk_mcp.redaction.redactor import LEAK_LENGTH, MARK, Redactor
from blikk_mcp.redaction.streams import MAX_LINE, TOO_LONG, RedactedTextIO
from blikk_tools.catalog import catalog
from blikk_tools.result import Outcome, Result
from tests.server import canary

# Not keys: characters drawn once, with all that encoders treat specially.
SECRET = r"Zq7/+vT=r.k_W-9x:bLe?~mY&h<J>" + r"4'u%\2dH#c!S" + '"oP{8g}nK,@^6|f'
PLAIN_SECRET = "bk7Live/9fQ+2ZtW_m4xKdRa8.Yc3=uH"
SECRETS = {"every kind of character": SECRET, "an ordinary key": PLAIN_SECRET}

printable = "".join(chr(code) for code in range(0x21, 0x7F))
keys = st.text(printable, min_size=8, max_size=64)
surroundings = st.text(max_size=40) | st.text(printable, max_size=40) | st.text('\\"%&#x0u;n\n ', max_size=12)

ORDINARY = [
    json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "create_payment"}}),
    json.dumps({"jsonrpc": "2.0", "id": 2, "result": {"content": [{"type": "text", "text": '{"a":"b\\n"}'}]}}),
    json.dumps({"name": "Þórunn Ægisdóttir", "note": "1 < 2 && 'x' \"y\"", "path": "C:\\new\\table"}),
    "GET https://api.example/v1/payments?from=2026-01-01T00%3A00%3A00Z&state=a%20b&page=2 200 OK",
    "id 9b2f6a3e-51c7-4c8e-9d0f-0f6f1d2a7c11 sha256 " + "0123456789abcdef" * 4,
    "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2ln, -----BEGIN KEY-----",
    'Traceback (most recent call last):\n  File "/app/x.py", line 3, in <module>\n    raise KeyError("no")\n',
]

RESULT = {
    **Result(outcome=Outcome.NEEDS_HUMAN, status="SCA_REQUIRED", amount=3_966_336_531, currency="ISK").model_dump(
        mode="json"
    ),
    "payment_id": "pay_0f6f1d2a7c11-9b2f6a3e51c7",
    "idempotency_key": "order-2026-11-28:0001",
    "creditor_name": 'Kaffihúsið "Kría" ehf.',
    "human_instruction": "Approve 1,000 ISK\nto Kaffihúsið.\nhttps://bank.example/approve/0f6f1d2a7c11?a=%C3%A1",
    "approval_url": "https://bank.example/approve/0f6f1d2a7c11?a=%C3%A1",
    "next_step": "Show the person human_instruction word for word, then call await_payment.",
    "untrusted_bank_text": 'Back\\slash, \\u0061 and 100% of "quotes"',
}
MESSAGES: list[dict[str, Any]] = [
    {
        "jsonrpc": "2.0",
        "id": "call-0f6f1d2a7c11",
        "result": {
            "content": [{"type": "text", "text": json.dumps(RESULT, ensure_ascii=False, separators=(",", ":"))}],
            "structuredContent": RESULT,
            "isError": False,
        },
    },
    {
        "jsonrpc": "2.0",
        "id": 2**53,
        "result": {
            "tools": [
                {
                    "name": tool.name,
                    "description": tool.description,
                    "inputSchema": tool.input_schema,
                    "outputSchema": tool.output_schema,
                }
                for tool in catalog(read_only=False).values()
            ]
        },
    },
    {
        "jsonrpc": "2.0",
        "method": "notifications/progress",
        "params": {"progressToken": "token-0001", "progress": 3.25, "total": 25, "message": "Waiting for the bank"},
    },
]
LINES = [json.dumps(message, ensure_ascii=False, separators=(",", ":")) for message in MESSAGES]


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
    names = [name for name in canary.find(secret, text) if name.removesuffix(", cut off") in canary.COVERED]
    check(not names, f"{what}: {', '.join(names)}")


# What is seen


def test_the_finder_knows_at_least_fourteen_encodings() -> None:
    """The canary harness searches for at least fourteen, and so does this."""
    assert len({canary.encodings_of(SECRET)[name] for name in canary.COVERED}) >= 14


@pytest.mark.parametrize("name", sorted(canary.encodings_of(SECRET)))
def test_the_finder_finds_each_encoding_whole_and_cut_off(name: str, secret: str) -> None:
    """A finder that finds nothing would pass everything."""
    encoding = canary.encodings_of(secret)[name]
    check(bool(canary.find(secret, f"<{encoding}>")), "missed")
    if name in canary.COVERED:
        check(bool(canary.find(secret, f"<{encoding[: len(encoding) * 2 // 3]}>")), "missed when cut off")
    check(not canary.find(secret, "nothing in here"))


@pytest.mark.parametrize("name", canary.COVERED)
def test_no_encoding_of_a_secret_goes_out(name: str, secret: str) -> None:
    """Every encoding that is promised, at every exit; the word that holds it goes, and the others stay."""
    encoding = canary.encodings_of(secret)[name]
    check(Redactor([secret]).text(f"before\n it {{{encoding}}} and after") == f"before\n it {MARK} and after")


@pytest.mark.parametrize("form", ["plain", "url", "unicode", "json", "hex", "HEX", "base64", "base64url"])
def test_sixteen_characters_are_a_leak_and_fifteen_are_not(form: str, secret: str) -> None:
    """Shorter windows answer "is this in the key?" often enough to read the key out; the same in every encoding."""

    def encoded(text: str, offset: int) -> str:
        match form:
            case "url":
                return "".join(f"%{ord(character):02X}" for character in text)
            case "unicode":
                return "".join(f"\\u{ord(character):04x}" for character in text)
            case "json":
                return json.dumps(json.dumps(text))
            case "hex" | "HEX":
                digits = f"{'~' * offset}{text}~~".encode().hex()
                return digits.upper() if form == "HEX" else digits
            case "base64" | "base64url":
                code = base64.urlsafe_b64encode if form == "base64url" else base64.b64encode
                return code(f"{'~' * offset}{text}~~~".encode()).decode()
            case _:
                return text

    # A neighbour in the same high half of its byte as letters are; in JSON its escape would end like a piece of a key.
    beside = " " if form == "json" else "\x7f"
    redactor = Redactor([secret])
    for start in range(len(secret) - LEAK_LENGTH + 1):
        window = secret[start : start + LEAK_LENGTH]
        for offset in range(3):
            check(redactor.text(encoded(window, offset)) == MARK, f"16 from {start}")
            for part in (window[1:], window[:-1], f"{window[:-1]} {window[-1]}"):
                text = encoded(f"{beside}{part}{beside}", offset)
                check(redactor.text(text) == text, f"15 from {start}")


def test_a_short_secret_is_redacted_whole_only() -> None:
    """Of fewer than sixteen characters all have to be there; eight are the fewest that a key has."""
    redactor = redactor_of("hun-t+r9", "hun-t+r")
    assert redactor.text("hun-t+r hun-t+r9 un-t+r9") == f"hun-t+r {MARK} un-t+r9"
    assert redactor.text(base64.b64encode(b"x:hun-t+r9").decode()) == MARK
    assert redactor.text(b"hun-t+r9".hex()) == MARK


@pytest.mark.parametrize("before", range(7))
def test_a_secret_within_a_larger_blob_is_seen(before: int, secret: str) -> None:
    """Whole headers, requests and error bodies are encoded, not keys alone."""
    blob = f"{'a' * before}:{secret}:{'b' * 9}".encode()
    for encoded in (base64.b64encode(blob).decode(), base64.urlsafe_b64encode(blob).decode(), blob.hex()):
        for text in (
            encoded,
            f"abc{encoded}def",
            encoded[1:-1],
            encoded.replace("/", "\\/"),
            encoded.replace("+", "%2B"),
        ):
            check(Redactor([secret]).text(f"see {text}") == f"see {MARK}")


def test_escapes_may_be_mixed_within_one_secret(secret: str) -> None:
    """Nobody promises to escape all characters in one way."""
    ways = ("{0}", "\\u{1:04x}", "%{1:02x}", "\\x{1:02X}")
    mixed = "".join(ways[2 if c in "\\%" else at % 4].format(c, ord(c)) for at, c in enumerate(secret))
    check(Redactor([secret]).text(f"a {mixed} b") == f"a {MARK} b")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(secret=keys, before=surroundings, after=surroundings)
def test_no_encoding_of_any_key_in_any_surroundings_goes_out(secret: str, before: str, after: str) -> None:
    """A key may hold any printable character, and what stands around it may look like an escape."""
    redactor = Redactor([secret])
    blobs = [f"{'a' * offset}{secret}aaa".encode() for offset in range(3)]
    encodings = [canary.encodings_of(secret)[name] for name in canary.COVERED if not name.startswith("base64")]
    encodings += [encode(blob).decode() for blob in blobs for encode in (base64.b64encode, base64.urlsafe_b64encode)]
    for encoding in encodings:
        check(redactor.leaks(f"{before}<{encoding}>{after}"), "not seen")
        check(not redactor.leaks(redactor.text(f"{before} {encoding} {after}")) or secret in MARK, "still there")


@pytest.mark.parametrize(
    "secret", ["Þórunn-Ægisdóttir-0123456789", "ключ-ключ-ключ-ключ", "\ud800 key with half a letter"]
)
def test_a_secret_outside_ascii_is_redacted_too(secret: str) -> None:
    """No key has such letters, but a wrong setting is a secret as well."""
    data = secret.encode("utf-8", "surrogatepass")
    forms = [secret, "".join(f"%{byte:02X}" for byte in data), data.hex(), base64.b64encode(data).decode()]
    check(not [form for form in forms if form in Redactor([secret]).text(f"a {form} b")])


def test_a_key_with_spaces_takes_the_whole_text_with_it() -> None:
    """It is no key, and still nobody's business."""
    assert Redactor(["my key with spaces"]).text("it is my key with spaces here") == MARK


@pytest.mark.parametrize("secret", ["\\" * 12, "\\u0061" * 4, "%41" * 9, "&amp;" * 4, '"' * 8, "[redacted]", MARK * 2])
def test_a_key_made_of_escapes_breaks_nothing(secret: str) -> None:
    """Seen: it crashed the start."""
    redactor = redactor_of(secret)
    assert redactor.text("plain words") == "plain words"
    check(redactor.text(f"a {secret} b") == f"a {MARK} b" or secret in MARK)
    check(json.loads(redact_line(redactor, json.dumps({"a": secret, "b": 1})))["b"] == 1)


def test_any_of_several_secrets_is_redacted_with_white_space_around_it_or_without() -> None:
    """The sandbox's key and the real one, say; and a key file ends in a line break."""
    redactor = Redactor([f" {PLAIN_SECRET}\n", "another-secret-of-28-letters", ""])
    check(redactor.text(f"{PLAIN_SECRET} or another-secret-of-28-letters") == f"{MARK} or {MARK}")


def test_without_secrets_text_passes_as_it_is() -> None:
    """`doctor` and `--help` run before there is a key."""
    text = "anything"
    assert Redactor([]).text(text) is text
    assert Redactor(["", " \n"]).text(text) is text
    assert redact_line(Redactor([]), text) is text


@pytest.mark.parametrize("number", range(len(ORDINARY)))
def test_ordinary_messages_and_log_lines_do_not_change(number: int, secret: str) -> None:
    """A redactor that mangles answers breaks payments."""
    assert Redactor([secret]).text(ORDINARY[number]) is ORDINARY[number]
    assert redact_line(Redactor([secret]), ORDINARY[number]) is ORDINARY[number]


@pytest.mark.parametrize("key", ["${BLIKK_API_KEY}", "$BLIKK_API_KEY", "{env:BLIKK_API_KEY}", "%BLIKK_API_KEY%"])
def test_a_placeholder_is_no_secret(key: str) -> None:
    """The commonest mistake of all: the message that names the setting must be readable."""
    text = f"BLIKK_API_KEY: is still a placeholder {key}"
    assert redactor_of(key).text(text) is text


@pytest.mark.parametrize("key", ["BLIKK_API_KEY", "create_payment", "needs_human", "short"])
def test_a_word_of_ours_is_no_secret(key: str) -> None:
    """Everything we say is made of them."""
    assert redactor_of(key).text(f"the word {key} is here") == f"the word {key} is here"


def test_a_redactor_does_not_show_what_it_knows() -> None:
    """Tracebacks with local variables, and logs of objects."""
    redactor = Redactor([PLAIN_SECRET])
    check(PLAIN_SECRET not in repr(redactor) + str(redactor))
    assert not hasattr(redactor, "__dict__")
    for copied in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            copied(redactor)


PIECES = (
    PLAIN_SECRET,
    PLAIN_SECRET[:15],
    PLAIN_SECRET[:15] + "\n",
    "aaaa",
    "%25",
    "%",
    '"',
    "\\\\\\u",
    "\\u0061",
    "6b",
)


@pytest.mark.parametrize(
    "piece",
    ["\\", *(pytest.param(piece, marks=pytest.mark.slow) for piece in PIECES)],
    ids=range(len(PIECES) + 1),
)
def test_a_megabyte_takes_linear_time(piece: str) -> None:
    """A hostile answer must not stop the server: 360 kB of backslashes once took six seconds."""
    redactor = Redactor([PLAIN_SECRET, "a" * 40, SECRET])
    times: list[float] = []
    for size in (100_000, 1_000_000):
        text = piece * (size // len(piece))
        start = time.process_time()
        redactor.text(text)
        times.append(time.process_time() - start)
    assert times[1] < 30 * max(times[0], 0.01), times


# What stays


def kept(value: Any, key: str, name: str = "") -> Any:
    """What may not change in a message: all but the values of strings that are neither ours nor ids."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {each: item if each in OUR_WORDS else kept(item, key, each) for each, item in members.items()}
    if isinstance(value, list):
        return [kept(item, key, name) for item in cast("list[Any]", value)]
    if not isinstance(value, str):
        return value
    if name in IDS:
        return MARK if key in value else value
    return kept(json.loads(value), key) if name == "text" else "a text"


@st.composite
def keys_like_our_own_words(draw: st.DrawFn) -> str:
    """The worst keys there are: pieces of the very lines that are to go out."""
    line = draw(st.sampled_from(LINES))
    length = draw(st.integers(8, 64))
    at = draw(st.integers(0, len(line) - length))
    return line[at : at + length]


@settings(deadline=None)
@given(key=keys | keys_like_our_own_words() | st.text("0123456789", min_size=8, max_size=40))
def test_every_line_stays_valid_json_with_its_names_numbers_and_ids(key: str) -> None:
    """For any key of 8 to 64 printable characters; one that is a word of ours broke names and schemas."""
    redactor = Redactor([key])
    for line, message in zip(LINES, MESSAGES, strict=True):
        clean = json.loads(redact_line(redactor, line))
        check(kept(clean, key.strip()) == kept(message, key.strip()), "a name, a number or an id changed")


@pytest.mark.parametrize("message", range(len(MESSAGES)))
def test_the_values_of_strings_are_redacted_wherever_they_are(message: int, secret: str) -> None:
    """Both halves of a result, a tool's text, a progress message."""
    redactor = Redactor([secret])
    for name in canary.COVERED:
        encoding = canary.encodings_of(secret)[name]
        for field in ("creditor_name", "description", "message"):
            line = LINES[message].replace(f'"{field}":"', f'"{field}":{json.dumps(encoding)[:-1]} ', 1)
            inner = json.dumps(json.dumps(encoding)[:-1])[1:-1]
            line = line.replace(f'\\"{field}\\":\\"', f'\\"{field}\\":{inner} ')
            clean = redact_line(redactor, line)
            check_clean(secret, clean, f"{name} in {field}")
            check(kept(json.loads(clean), secret) == kept(MESSAGES[message], secret))


def test_an_amount_or_an_id_that_looks_like_a_part_of_the_key_stays() -> None:
    """Seen: 3966336531, hex of five characters of an ordinary key, came out as invalid JSON."""
    key = "9f3e1-live-0f6f1d2a7c11-9b2f6a3e51c7"
    clean = json.loads(redact_line(Redactor([key, "12345678"]), LINES[0].replace("3966336531", "12345678")))
    structured = clean["result"]["structuredContent"]
    assert (structured["amount"], structured["payment_id"]) == (12345678, RESULT["payment_id"])
    assert json.loads(clean["result"]["content"][0]["text"])["amount"] == 12345678
    jsonschema.validate(structured, catalog(read_only=False)["create_payment"].output_schema)


def test_an_id_that_is_the_whole_key_goes(secret: str) -> None:
    """Whoever names a call by the key gets it back nowhere, in no encoding."""
    data = secret.encode()
    for encoding in (secret, data.hex(), base64.urlsafe_b64encode(b"x" + data).decode()):
        clean = redact_line(Redactor([secret]), json.dumps({"jsonrpc": "2.0", "id": encoding, "result": {}}))
        check(json.loads(clean)["id"] == MARK)


@pytest.mark.parametrize(
    "name",
    [
        *("jsonrpc", "method", "protocolVersion", "name", "type", "mimeType", "mode", "resultType", "version"),
        *("outcome", "status", "human_action", "error_code", "environment", "currency"),
        *("inputSchema", "outputSchema", "requestedSchema", "capabilities"),
    ],
)
def test_what_holds_words_of_ours_alone_stays_whatever_the_key(name: str) -> None:
    """A key that happens to be made of them must break neither the protocol nor a schema; what is beside them goes."""
    held = {"description": PLAIN_SECRET} if name.endswith(("Schema", "capabilities")) else PLAIN_SECRET
    clean = json.loads(redact_line(Redactor([PLAIN_SECRET]), json.dumps({name: held, "message": PLAIN_SECRET})))
    check(clean == {name: held, "message": MARK})


def test_text_that_only_looks_like_json_is_redacted_as_text() -> None:
    """From outside, names are no better than values."""
    redactor = Redactor([PLAIN_SECRET])
    inner = json.dumps({PLAIN_SECRET: 1})
    check_clean(PLAIN_SECRET, redact_line(redactor, json.dumps({"untrusted_bank_text": inner})))
    check_clean(PLAIN_SECRET, redact_line(redactor, f"{{not json {PLAIN_SECRET}"))
    check_clean(PLAIN_SECRET, redactor.text(inner))


# Streams


def wrapped(redactor: Redactor, target: Any) -> RedactedTextIO:
    return RedactedTextIO(redactor.text, target)


@settings(deadline=None)
@given(data=st.data())
def test_whatever_the_pieces_and_flushes_nothing_goes_out(data: st.DataObject) -> None:
    """`print` writes text and newline apart; tracebacks come in dozens of pieces."""
    name = data.draw(st.sampled_from(canary.COVERED))
    left = f"{data.draw(surroundings)} {canary.encodings_of(PLAIN_SECRET)[name]} {data.draw(surroundings)}"
    whole = left
    target = io.StringIO()
    redactor = Redactor([PLAIN_SECRET])
    stderr = wrapped(redactor, target)
    while left:
        length = data.draw(st.integers(1, 30))
        stderr.write(left[:length])
        left = left[length:]
        if data.draw(st.booleans()):
            stderr.flush()
    stderr.finish()
    check_clean(PLAIN_SECRET, target.getvalue())
    check(target.getvalue() == redactor.text(whole))


def test_a_whole_line_goes_out_at_once_and_half_a_line_at_the_end() -> None:
    """A message about a crash that comes after the crash helps nobody."""
    target = io.StringIO()
    stderr = wrapped(Redactor([PLAIN_SECRET]), target)
    stderr.writelines(["started\n", f"key {PLAIN_SECRET}\n", f"half {PLAIN_SECRET[:20]}"])
    stderr.flush()
    check(target.getvalue() == f"started\nkey {MARK}\n")
    stderr.write(f"{PLAIN_SECRET[20:]} end")
    stderr.finish()
    stderr.finish()
    check(target.getvalue() == f"started\nkey {MARK}\nhalf {MARK} end")


def test_a_line_that_does_not_end_is_not_kept_for_ever() -> None:
    """A limit on everything; and no part of it goes out, as a part could be half a key."""
    target = io.StringIO()
    stderr = wrapped(Redactor([PLAIN_SECRET]), target)
    for _ in range(4):
        stderr.write("a" * (MAX_LINE // 2))
    stderr.write(PLAIN_SECRET[:20])
    stderr.write(f"{PLAIN_SECRET[20:]}\nnext\n")
    assert target.getvalue() == f"{TOO_LONG}next\n"


def test_the_wrapper_stands_in_for_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries ask `sys.stderr` for more than `write`; its byte buffer would bypass redaction."""
    target = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stderr", wrapped(Redactor([PLAIN_SECRET]), target))
    sys.stderr.write(f"oops {PLAIN_SECRET}\n")
    sys.stderr.flush()
    assert (sys.stderr.encoding, sys.stderr.isatty(), sys.stderr.closed) == ("utf-8", False, False)
    assert not hasattr(sys.stderr, "buffer")
    target.seek(0)
    check(target.read() == f"oops {MARK}\n")
    sys.stderr.close()
    assert target.closed


def test_the_redactor_is_small_enough_to_be_read() -> None:
    """What guards the key has to be understood at one sitting."""
    folder = Path(sys.modules[Redactor.__module__].__file__ or "").parent
    assert sum(len(file.read_text().splitlines()) for file in folder.glob("*.py")) <= 320


def test_a_line_without_an_end_costs_a_bounded_amount_of_memory() -> None:
    """A library that prints without line breaks must not fill the memory of a server that runs for weeks."""
    target = io.StringIO()
    stream = RedactedTextIO(str, target)
    piece = "x" * MAX_LINE
    tracemalloc.start()
    try:
        for _ in range(64):
            stream.write(piece)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 16 * MAX_LINE
    stream.write("\nnext\n")
    assert target.getvalue() == f"{TOO_LONG}next\n"
