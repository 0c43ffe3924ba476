"""Reading Blikk's answers: understood as a whole, or not at all."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blikk_payments.channel.answers import RawAnswer, is_payment_id, parse_payment, problem_text
from blikk_payments.channel.links import LinkRefused, check_link
from blikk_payments.channel.strict_json import Unreadable, map_strings, parse_json, parse_object
from blikk_payments.channel.wire import ChannelPayment, Status

KENNITALA = "0101302989"


def holds_no_key(text: str) -> bool:
    """No id here is a key."""
    return False


def payment(**fields: object) -> ChannelPayment:
    """The payment in an answer with these fields beside an id."""
    return parse_payment(json.dumps({"id": "pay-1", **fields}).encode(), str, holds_no_key)


def problem(document: object, content_type: str = "application/json") -> str:
    """The text of an error answer."""
    return problem_text(RawAnswer(400, content_type, body=json.dumps(document).encode()), str)


@pytest.mark.parametrize("word", [status.value for status in Status])
def test_every_status_of_blikks_is_read(word: str) -> None:
    """Blikk's page, status lifecycle; SCA_COMPLETE and USER_ONBOARDING_REQUIRED are seen in public code."""
    assert payment(status=word).status is Status(word)


@pytest.mark.parametrize("word", ["COMPLETED", "success", "", None, 1, [], {}, True])
def test_an_unknown_status_is_neither_success_nor_failure(word: object) -> None:
    """Others guessed at status words, and lost payments over it."""
    assert payment(status=word).status is Status.OTHER


def test_unknown_fields_are_ignored() -> None:
    """Public code: endToEndIdentification and $schema come along; more may follow."""
    answer = payment(status="PENDING", amount=1000, currency="ISK", endToEndIdentification="x", more={"a": [1]})
    assert answer == ChannelPayment("pay-1", Status.PENDING, amount_isk=1000, currency="ISK")


@pytest.mark.parametrize("url", [None, "", 7, ["https://bank.example/"], {}])
def test_a_missing_link_is_no_link(url: object) -> None:
    """Blikk's sister API: some banks push the approval to the person's app, and there is nothing to open."""
    assert payment(redirectUrl=url).redirect_url == ""
    assert payment().redirect_url == ""


@pytest.mark.parametrize(
    "url", ["https://bank.example/\x00", "https://bank.example/\ud800", "https://bank.example/" + "a" * 9000]
)
def test_a_link_that_no_database_takes_is_kept_as_one_that_no_person_gets(url: str) -> None:
    """A hostile link must not stop the payment's id from being written down."""
    kept = payment(redirectUrl=url).redirect_url
    assert len(kept.encode()) <= 3 * 2049
    assert "\x00" not in kept
    with pytest.raises(LinkRefused):
        check_link(kept)


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (1000, 1000),
        (0, 0),
        (-5, -5),
        (1000.0, 1000),
        ("1000", 1000),
        ("1000.00", 1000),
        (999_900.5, Decimal("999900.5")),
        ("999900.50", Decimal("999900.5")),
        (2**62, 10**15),
        (-1e300, -(10**15)),
        (1e-300, 0),
        *((value, None) for value in (True, None, "", "1e3", "1.000,50", "\u0661", " 1", [1000], {"value": 1000})),
    ],
)
def test_an_amount_is_read_whole_in_whatever_form_it_comes(amount: object, expected: int | Decimal | None) -> None:
    """ISK has no decimals, and others truncated with int(): an amount that is half a króna off is another one."""
    read = payment(amount=amount).amount_isk
    assert read == expected
    assert isinstance(read, int) == isinstance(expected, int)


@pytest.mark.parametrize("currency", ["isk", "Isk", "ISK"])
def test_a_currency_is_the_same_in_small_letters(currency: str) -> None:
    """Else `eur` would be taken for no currency at all, and so for krónur."""
    assert payment(currency=currency).currency == "ISK"


@pytest.mark.parametrize("currency", ["ISKR", "I\nK", "\u0130SK", 7, None])
def test_a_currency_is_three_letters_or_nothing(currency: object) -> None:
    """ISO 4217."""
    assert payment(currency=currency).currency == ""


def test_a_message_is_cleaned() -> None:
    """What a bank says can carry instructions, links and identity numbers."""
    assert payment(message=f"<b>Go</b> to https://evil.example with {KENNITALA}").bank_text == "Go to (link) with ••••"
    assert payment(message={"a": 1}).bank_text == ""


@pytest.mark.parametrize("payment_id", [None, 7, "", ".", "..", "a/b", "a b", "a\u0000", "á", "a" * 129, ["a"], True])
def test_an_answer_without_a_usable_id_is_unreadable(payment_id: object) -> None:
    """An id that cannot be asked for again is none."""
    with pytest.raises(Unreadable):
        payment(id=payment_id)


def test_an_id_that_holds_the_key_is_unreadable() -> None:
    """It would carry the key into ledger, logs and the agent's context."""
    with pytest.raises(Unreadable):
        parse_payment(b'{"id": "key"}', str, lambda text: "key" in text)


@pytest.mark.parametrize("text", ["a", "...", "a.b", "A-Z_0~9:x", "a" * 128, "3f2504e0-4f89-11d3-9a0c-0305e82c3301"])
def test_an_id_is_opaque(text: str) -> None:
    """Blikk's page shows no form of ids."""
    assert is_payment_id(text)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{} {}",
        b"nul",
        b"\xef\xbb\xbf{}",
        b'{"a": "\xff"}',
        '{"a": 1}'.encode("utf-16"),
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": 9223372036854775808}',
        b'{"a": -9223372036854775809}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": 1, "a": 1}',
        b'{"b": {"a": 1, "a": 2}}',
        b'{"a": 01}',
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": "\n"}',
        b"[" * 33 + b"1" + b"]" * 33,
        b'{"a":' * 33 + b"1" + b"}" * 33,
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b" " * (256 * 1024) + b"{}",
        None,
    ],
)
def test_json_is_read_strictly_and_within_bounds(body: bytes | None) -> None:
    """RFC 8259; duplicate names, infinities, depth and size: our rule, as parsers disagree about them."""
    with pytest.raises(Unreadable) as caught:
        parse_json(body)
    assert caught.value.__context__ is None


def test_json_at_the_bounds_is_read() -> None:
    """The bounds are inclusive."""
    assert parse_json(b'{"a": [9223372036854775807, -9223372036854775808, 1.5, null, true]}') is not None
    assert parse_json(b"[" * 32 + b"1" + b"]" * 32) is not None
    assert parse_json(b"{}".rjust(256 * 1024)) == {}


@pytest.mark.parametrize("body", [b"[]", b"1", b'"a"', b"null"])
def test_an_answer_has_to_be_an_object(body: bytes) -> None:
    """Blikk's page: an answer has fields."""
    with pytest.raises(Unreadable):
        parse_object(body)


def test_problem_details_are_told_without_what_they_repeat() -> None:
    """RFC 9457 with errors[], as Blikk's sister API sends it; errors[].value echoes the request."""
    document = {
        "type": "about:blank",
        "title": "Unprocessable",
        "status": 422,
        "detail": "validation failed",
        "errors": [
            {"message": "expected string", "location": "body.creditor.iban", "value": KENNITALA},
            {"message": "no place", "value": {"name": "Jón"}},
            "not an object",
            {"location": 7},
        ],
    }
    expected = "Unprocessable; validation failed; body/creditor/iban: expected string; no place"
    assert problem(document) == expected
    assert problem(document, "text/html") == expected
    assert problem({"errors": [{"message": f"bad {KENNITALA}"}]}) == "bad ••••"


@pytest.mark.parametrize(
    "document",
    [
        "null",
        "[]",
        '"text"',
        "7",
        "{}",
        '{"title": null, "detail": [], "errors": {}}',
        '{"errors": [[], null, 7]}',
    ],
)
def test_an_error_that_says_nothing_has_no_text(document: str) -> None:
    """Empty and foreign bodies happen, and must not become another error."""
    assert problem(json.loads(document)) == ""


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("text/plain; charset=utf-8", b"404 page not found", "404 page not found"),
        ("Text/Plain", b"404 page not found", "404 page not found"),
        ("text/plain", b"\xff\xfe", "\ufffd\ufffd"),
        ("text/html", b"<html>404</html>", ""),
        ("", b"nothing", ""),
        ("text/plain", b"", ""),
        ("text/plain", None, ""),
    ],
)
def test_a_plain_text_error_is_told_and_any_other_is_not(content_type: str, body: bytes | None, expected: str) -> None:
    """Blikk's sister API: plain-text 404s and empty 502s happen."""
    assert problem_text(RawAnswer(404, content_type, body=body), str) == expected


def test_an_error_answer_may_be_longer_than_what_is_told_of_it() -> None:
    """Validators explain themselves at length; what they say first is still told."""
    errors = [{"location": "body.amount", "message": "too large", "value": "x" * 1000}]
    assert problem({"instance": "y" * 1000, "title": "Bad request", "errors": errors}).startswith("Bad request; body")
    assert problem({"title": "z" * 1000}) == "z" * 300


def test_every_string_of_a_document_is_redacted() -> None:
    """Names too."""
    assert map_strings({"key": ["key", {"a": "key"}, 1, None]}, lambda text: text.replace("key", "-")) == {
        "-": ["-", {"a": "-"}, 1, None]
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "id": JSON | st.from_regex(r"[a-z.~:-]{1,10}", fullmatch=True),
        **dict.fromkeys(("status", "redirectUrl", "message", "amount", "currency", "title", "detail"), JSON),
        "errors": JSON
        | st.lists(st.fixed_dictionaries({"message": JSON, "location": JSON, "value": JSON}), max_size=3),
    },
)


@given(
    st.one_of(
        st.binary(max_size=200),
        JSON.map(lambda value: json.dumps(value).encode()),
        FIELDS.map(lambda f: json.dumps(f).encode()),
    )
)
@example(b'{"id": "a", "status": {"a": []}}')
def test_any_answer_is_a_payment_or_unreadable(body: bytes) -> None:
    """A typed answer or a typed error, and text that can be stored."""
    text = problem_text(RawAnswer(400, "text/plain", body=body), str)
    assert len(text) <= 300
    text.encode()
    try:
        answer = parse_payment(body, str, holds_no_key)
    except Unreadable:
        return
    assert is_payment_id(answer.payment_id)
    assert answer.status in Status
    f"{answer.redirect_url}{answer.bank_text}{answer.currency}".encode()
