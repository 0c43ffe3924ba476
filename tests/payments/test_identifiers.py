"""Kennitala, IBAN, BBAN, krónur and names."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blikk_payments.identifiers import (
    account_key_of_bban,
    account_key_of_iban,
    check_text,
    format_isk,
    holder_of_iban,
    kennitala_doubts,
    mask_account,
    parse_bban,
    parse_iban,
    parse_kennitala,
)

SAMPLE_IBAN = "IS140159260076545510730339"


SEPARATORS = {
    "space": " ",
    "tab": "\t",
    "no-break space": "\u00a0",
    "en space": "\u2002",
    "thin space": "\u2009",
    "hair space": "\u200a",
    "narrow no-break space": "\u202f",
    "ideographic space": "\u3000",
    "hyphen-minus": "-",
    "hyphen": "\u2010",
    "non-breaking hyphen": "\u2011",
    "figure dash": "\u2012",
    "en dash": "\u2013",
    "em dash": "\u2014",
    "minus sign": "\u2212",
    "fullwidth hyphen-minus": "\uff0d",
}
NOT_SEPARATORS = {
    "null": "\0",
    "line feed": "\n",
    "carriage return": "\r",
    "vertical tab": "\v",
    "escape": "\x1b",
    "next line": "\x85",
    "soft hyphen": "\u00ad",
    "zero-width space": "\u200b",
    "right-to-left override": "\u202e",
    "line separator": "\u2028",
    "byte order mark": "\ufeff",
    "underscore": "_",
    "full stop": ".",
    "slash": "/",
}


@pytest.mark.parametrize("separator", SEPARATORS.values(), ids=SEPARATORS)
def test_spaces_and_dashes_of_any_kind_do_not_count_anywhere(separator: str) -> None:
    """People and models paste numbers from web pages, PDFs and invoices."""
    for parse, number in ((parse_kennitala, "5510730339"), (parse_iban, SAMPLE_IBAN), (parse_bban, "015926007654")):
        assert parse(separator.join(["", *number, ""])) == number
        assert parse(number[:6] + separator * 3 + number[6:]) == number


@pytest.mark.parametrize("character", NOT_SEPARATORS.values(), ids=NOT_SEPARATORS)
def test_controls_and_other_signs_are_refused_anywhere(character: str) -> None:
    """What cannot be seen, or is no way of writing a number, is a sign that the text is not what it seems."""
    for parse, number in ((parse_kennitala, "5510730339"), (parse_iban, SAMPLE_IBAN), (parse_bban, "015926007654")):
        for written in (character + number, number[:6] + character + number[6:], number + character):
            with pytest.raises(ValueError, match=r"^(a|an) "):
                parse(written)


@pytest.mark.parametrize("text", ["0101302989", "010130-2989", "010130 2989", "0101-302989", " 01 01 30 \u2013 2989 "])
def test_a_kennitala_is_ten_digits_however_it_is_written(text: str) -> None:
    """Registers Iceland: DDMMYY and four digits, usually written with a dash."""
    assert parse_kennitala(text) == "0101302989"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "010130298",
        "01013029890",
        "010130_2989",
        "０１０１３０２９８９",
        "٠١٠١٣٠٢٩٨٩",
        "010130-298a",
        "0101302989\n",
        "0101302989" + " " * 100,
    ],
)
def test_what_is_not_ten_ascii_digits_is_no_kennitala_and_is_not_repeated(text: str) -> None:
    """Ten digits are the only hard rule, and an error must not spread a mistyped identity number."""
    with pytest.raises(ValueError, match=r"^a kennitala has 10 digits") as caught:
        parse_kennitala(text)
    assert [text for told in (str(caught.value),) if text and text in told] == []


@pytest.mark.parametrize(
    ("kennitala", "doubts"),
    [
        ("0101302989", False),  # a person's, with its check digit
        ("5510730339", False),  # a company's: the day plus 40
        ("5005891499", True),  # Blikk's own sample
        ("0101302979", True),
        ("3002302989", True),  # 30 February
        ("0113302989", True),  # month 13
        ("0101302985", True),  # no such century
        ("8123456789", False),
        ("9999999999", False),
        ("1802261230", False),  # born when check digits had ended
        ("1702261230", True),  # born a day before
    ],
)
def test_doubts_about_a_kennitala_are_warnings_only(kennitala: str, doubts: bool) -> None:
    """Registers Iceland: modulo 11 until 18 February 2026; system numbers begin with 8 or 9."""
    assert parse_kennitala(kennitala) == kennitala
    assert kennitala_doubts(kennitala) is doubts


@given(st.from_regex(r"[0-9]{10}", fullmatch=True))
def test_every_ten_digits_can_be_judged(kennitala: str) -> None:
    """A doubt is an answer, never an error."""
    assert kennitala_doubts(kennitala) in (True, False)


@pytest.mark.parametrize(
    "text",
    [SAMPLE_IBAN, "is14 0159 2600 7654 5510 7303 39", "IS14-0159-26-007654-551073-0339", SAMPLE_IBAN.lower()],
)
def test_an_icelandic_iban_is_normalised(text: str) -> None:
    """ISO 13616: IS, two check digits, 22 digits; spaces, dashes and lower case are ways of writing."""
    assert parse_iban(text) == SAMPLE_IBAN


@pytest.mark.parametrize("text", ["GB29 NWBK 6016 1331 9268 19", "DE89370400440532013000", "NO9386011117947"])
def test_a_valid_iban_of_another_country_passes(text: str) -> None:
    """Whether Blikk takes them is not documented, so they are let through."""
    assert parse_iban(text) == text.replace(" ", "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "IS",
        SAMPLE_IBAN[:-1],
        SAMPLE_IBAN + "0",
        "IS150159260076545510730339",
        "IS1401592600765455107303O9",
        "ＩＳ140159260076545510730339",
        "IS١٤0159260076545510730339",
        "I\u017f140159260076545510730339",
        SAMPLE_IBAN + "\n",
        "GB29NWBK60161331926818",
        "XX39370400440532013000",
        "DE8937040044053201300",
        "DE89370400440532013000" + " " * 100,
    ],
)
def test_what_is_not_an_iban_is_refused_and_not_repeated(text: str) -> None:
    """ISO 13616 and ISO 7064; ASCII only and no echo: our rule, as the last ten digits are a kennitala."""
    with pytest.raises(ValueError, match="IBAN") as caught:
        parse_iban(text)
    assert [text for told in (str(caught.value),) if len(text) > 2 and text[4:] in told] == []
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("country", ["IS", "DE"])
def test_one_account_has_one_iban_only(country: str) -> None:
    """Mod 97 alone takes 00, 01 and 99 for 97, 98 and 02: a duplicate would pass under another name."""
    length = {"IS": 22, "DE": 18}[country]
    accepted: dict[str, str] = {}
    for account in range(300):
        bban = f"{account:0{length}}"
        for digits in range(100):
            try:
                iban = parse_iban(f"{country}{digits:02}{bban}")
            except ValueError:
                continue
            assert bban not in accepted
            accepted[bban] = iban
    assert len(accepted) == 300


@pytest.mark.parametrize("text", ["015926007654", "0159-26-007654", "0159 26 007654"])
def test_a_bban_is_twelve_digits(text: str) -> None:
    """Icelandic accounts: bank (4), ledger (2), account (6)."""
    assert parse_bban(text) == "015926007654"


@pytest.mark.parametrize(
    "text", ["", "01592600765", "0159260076545", "0159-26-00765a", "٠١٥٩٢٦٠٠٧٦٥٤", "０15926007654", "0" * 200]
)
def test_what_is_not_twelve_ascii_digits_is_no_bban(text: str) -> None:
    """No guess about leading zeros that were left out."""
    with pytest.raises(ValueError, match=r"^a BBAN has 12 digits"):
        parse_bban(text)


def test_an_account_is_the_same_by_iban_and_by_bban() -> None:
    """Limits, lists and duplicates go by the account, however it was written."""
    by_iban = account_key_of_iban(parse_iban(SAMPLE_IBAN))
    assert by_iban == account_key_of_bban(parse_bban("0159-26-007654")) == "IS015926007654"
    assert account_key_of_iban("DE89370400440532013000") == "DE89370400440532013000"


def test_an_icelandic_iban_names_its_holder() -> None:
    """Icelandic IBANs end in the holder's kennitala; others name nobody."""
    assert holder_of_iban(SAMPLE_IBAN) == "5510730339"
    assert holder_of_iban("DE89370400440532013000") == ""


@pytest.mark.parametrize(
    ("account_key", "masked"),
    [("IS015926007654", "0159-26-•••654"), ("GB29NWBK60161331926819", "GB •••• 6819")],
)
def test_a_masked_account_shows_enough_to_tell_two_apart(account_key: str, masked: str) -> None:
    """Bank, ledger and the last three digits of the number; a foreign one's country and last four."""
    assert mask_account(account_key) == masked


@given(st.from_regex(r"[0-9]{12}", fullmatch=True), st.from_regex(r"[0-9]{10}", fullmatch=True))
def test_a_masked_account_says_nothing_of_its_holder(bban: str, holder: str) -> None:
    """The last ten digits of an Icelandic IBAN are the holder's kennitala."""
    remainder = int(f"{bban}{holder}182800") % 97
    iban = parse_iban(f"IS{98 - remainder:02}{bban}{holder}")
    assert mask_account(account_key_of_iban(iban)) == mask_account(account_key_of_bban(bban))
    assert mask_account(account_key_of_iban(iban)) == f"{bban[:4]}-{bban[4:6]}-•••{bban[9:]}"


def test_kronur_are_written_as_people_write_them() -> None:
    """ISK has no decimals; Icelandic groups thousands with a dot."""
    assert [format_isk(1000, "en"), format_isk(1000, "is")] == ["1,000 ISK", "1.000 kr."]
    assert [format_isk(999), format_isk(1234567, "is")] == ["999 ISK", "1.234.567 kr."]


@pytest.mark.parametrize("text", ["Jón Þór Ægisson", "O'Brien & Sons (ehf.)", "李小龍", "Zoë 🙂", "a"])
def test_a_name_that_people_can_read_is_left_as_it_is(text: str) -> None:
    """Names are not English only."""
    assert check_text(text, 70) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\u00a0",
        "\u3164",
        "a\nb",
        "a\x00",
        "a\x1b[31m",
        "a\u202eb",
        "a\u200bb",
        "a\ufeff",
        "a\u2028b",
        "a\u00adb",
        "a\ufe0f",
        "a\ue000",
        "a\U000e0041",
        "a" + chr(0xD800),
        "<b>",
        "a>b",
        "a" * 71,
    ],
)
def test_a_name_that_could_deceive_is_refused(text: str) -> None:
    """What a person approves must be what is there."""
    with pytest.raises(ValueError, match=r"^(has|is) "):
        check_text(text, 70)


@given(st.text(max_size=80))
@example("\u034f")
def test_a_text_that_passes_is_printable_and_short(text: str) -> None:
    """For any text."""
    try:
        passed = check_text(text, 70)
    except ValueError:
        return
    assert passed == text
    assert text.isprintable()
    assert 0 < len(text.strip()) <= len(text) <= 70
    assert not set("<>") & set(text)
