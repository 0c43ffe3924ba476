"""The cleaner for text from Blikk and banks."""

from __future__ import annotations

import re
import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blikk_payments.channel.text import clean_text


@pytest.mark.parametrize(
    "text",
    [
        "Insufficient funds",
        "Ekki næg innstæða á reikningi.",
        "Error: limit 100.000 kr. (code E-42)",
        "body/creditor/iban: bad",
    ],
)
def test_plain_words_stay_as_they_are(text: str) -> None:
    """An operator has to understand why a bank said no."""
    assert clean_text(text) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\r\n\tb\u2028c   d", "a b c d"),
        ("a\u2800b\u3164c\uffa0d\u115fe\u1160f\u17b4g\u17b5h\u034fi", "abcdefghi"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;https://evil.example\x07click\x1b]8;;\x07", "click"),
        ("\x1bPdcs\x1b\\\x1bXsos\x1b\\\x1b^pm\x07\x1b_apc\x1b\\plain", "plain"),
        ("\x9b31mred", "red"),
        ("a\u202eb\u200bc\ufeffd\u00ade", "abcde"),
        ("hid\U000e0041\U000e0042den", "hidden"),
        ("a\ufe00b\ufe0fc\U000e0100d\U000e01efe\u180bf\u180fg", "abcdefg"),
        ("\u180a\u1810\ufe10", "\u180a\u1810,"),
        ("a\ud800b\ue000c\x00d", "abcd"),
        ("ｆｕｌｌ ｗｉｄｔｈ", "full width"),
        ("<b>bold</b> <script src=x>", "bold"),
        ("＜b＞bold", "bold"),
        ("&lt;b&gt; &#60; &amp;lt;", "b lt;"),
        ("&LT;b&GT;", "b"),
        ("![x](y) [click](/pay) `code` ```", "! x (y) click (/pay) code"),
        ("see https://evil.example/x now", "see (link) now"),
        ("see HTTPS:evil now", "see (link) now"),
        ("see www.evil.example now", "see (link) now"),
        ("see WWW.1 now", "see (link) now"),
        ("see evil.example/pay now", "see (link) now"),
        ("see //evil now", "see (link) now"),
        ("javascript: alert", "(link) alert"),
        ("JavaScript: alert", "(link) alert"),
        ("blikkapp:pay?now", "(link)"),
        ("h\u200bttps://evil.example", "(link)"),
        ("mail me@evil.example", "mail (link)"),
        ("ssn 0101302989.", "ssn ••••."),
        ("ssn 010130-2989, ok", "ssn ••••, ok"),
        ("account 0159-26-007654 closed", "account •••• closed"),
        ("IS14 0159 2600 7654 5510 7303 39", "••••"),
        ("IBAN IS140159260076545510730339", "IBAN ••••"),
        ("GB29NWBK60161331926819 and GB29 NWBK 6016 1331 9268 19", "•••• and ••••"),
        ("gb29nwbk60161331926819", "••••"),
        ("٠١٠١٣٠٢٩٨٩", "••••"),
        ("0101\u200b302989", "••••"),
        ("０１０１３０２９８９", "••••"),
        ("call 555 1234", "call 555 1234"),
    ],
)
def test_what_could_act_or_identify_is_taken_out(text: str, cleaned: str) -> None:
    """No escapes, hidden characters, markup or links; kennitalas and accounts are masked."""
    assert clean_text(text) == cleaned


def test_a_text_is_capped() -> None:
    """At most 300 characters of foreign text reach an agent."""
    assert clean_text("ab " * 1000) == ("ab " * 100).rstrip()
    assert clean_text("x" * 1000, limit=10) == "x" * 10


def test_a_number_is_not_shown_in_part_because_the_text_was_cut() -> None:
    """The cut of a long text must not take a kennitala below the length of the mask."""
    for length in range(1985, 2001):
        assert re.search(r"\d", clean_text("\u200b" * length + "0101302989")) is None


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [("12345".rjust(2000, "\u200b"), "12345"), ("XY".rjust(2001, "\u200b"), "X")],
    ids=["2000 characters", "2001 characters"],
)
def test_a_text_is_looked_at_as_far_as_its_2000th_character(text: str, cleaned: str) -> None:
    """What fits is not cut, and only the digits at a cut are dropped with it."""
    assert clean_text(text) == cleaned


def test_a_text_that_does_not_settle_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cleaning cannot finish is not half cleaned text."""
    monkeypatch.setattr("blikk_payments.channel.text._MAX_PASSES", 1)
    assert clean_text("plain") == "plain"
    assert clean_text("<b>bold") == ""


@pytest.mark.parametrize(
    "piece", ["<", "a:", "\x1b[", "1 ", "a.", "&#", "[", "\ufdfa", "IS12 AAAA ", "ab12", "www.", "\x1b]"]
)
def test_cleaning_takes_no_longer_for_a_hostile_text(piece: str) -> None:
    """The work is bounded, whatever is sent."""
    started = time.process_time()
    clean_text(piece * 200_000)
    assert time.process_time() - started < 1.0


HOSTILE = st.lists(
    st.one_of(
        st.sampled_from([*"<>[]()`&;:/.#-\\@!*1234567890", "\x1b", "\x1b[", "\x07", "\u200b", "http", "www", "IS"]),
        st.sampled_from(
            [
                "\ufdfa",
                "\u212b",
                "\u0301",
                "e\u0301",
                "\u1100\u1161",
                "•",
                " ",
                "\u2028",
                "０",
                "٣",
                "lt",
                "ab",
            ]
        ),
        st.characters(),
    ),
    max_size=60,
).map("".join)


@given(HOSTILE, st.sampled_from([5, 20, 300]))
@settings(max_examples=5 * settings().max_examples)
@example("h<b>ttps://x", 300)
@example("&am\u200bp;lt;", 300)
@example("1234 5678\u200b 90", 300)
def test_clean_text_is_clean(text: str, limit: int) -> None:
    """Cleaning again changes nothing, and nothing unwanted is left."""
    cleaned = clean_text(text, limit)
    assert clean_text(cleaned, limit) == cleaned
    assert len(cleaned) <= limit
    assert cleaned == unicodedata.normalize("NFKC", cleaned)
    assert [c for c in cleaned if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}] == []
    assert not set(cleaned) & set("<>`[]\\")
    assert re.search(r"\d{10}|//|www\.|https?:", cleaned) is None
