"""Kennitala, IBAN, BBAN, krónur and names: read strictly, written one way, masked for people.

No error raised here ever contains the value it is about: the last ten digits of an Icelandic IBAN are a
kennitala. Sources: Registers Iceland on kennitala (some numbers issued since 18 February 2026 carry no check
digit, system numbers begin with 8 or 9); ISO 13616 on IBAN; Blikk's field names,
https://docs.blikk.tech/docs/paymentchannel.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from decimal import Decimal

from blikk_payments.channel.text import is_invisible

# [0-9] and never \d: Python's \d takes Arabic-Indic and fullwidth digits too.
_KENNITALA = re.compile(r"[0-9]{10}")
_BBAN = re.compile(r"[0-9]{12}")
_ICELANDIC_IBAN = re.compile(r"IS[0-9]{24}")
_ANY_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_SEPARATOR_CATEGORIES = frozenset({"Zs", "Pd"})
"""Unicode's spaces and dashes, whatever their width: people and models paste numbers from web pages and PDFs."""

_MORE_SEPARATORS = frozenset("\t\u2212")
"""A tab and the minus sign, which Unicode counts among controls and mathematical signs."""

_CHECK_DIGIT_WEIGHTS = (3, 2, 7, 6, 5, 4, 3, 2)
_CENTURIES = {"8": 1800, "9": 1900, "0": 2000}
_COMPANY_DAY_OFFSET = 40
_NO_CHECK_DIGIT_SINCE = date(2026, 2, 18)
_MAX_WRITTEN_LENGTH = 80
"""A number is never longer than this however it is spaced; what is longer is not looked at."""

_MASK = "•••"


def parse_kennitala(text: str) -> str:
    """Read a kennitala as its 10 digits; spaces and dashes of any kind do not count.

    "Ten digits" is the only hard rule: check `kennitala_doubts` for a warning.

    Raises:
        ValueError: not a kennitala.
    """
    kennitala = _without_separators(text)
    if not _KENNITALA.fullmatch(kennitala):
        raise ValueError("a kennitala has 10 digits")
    return kennitala


def kennitala_doubts(kennitala: str) -> bool:
    """Whether a 10-digit kennitala looks mistyped: an impossible date, or a check digit that fails.

    Worth a warning and never a refusal: real numbers exist that fail (Blikk's own sample does). System
    numbers, and numbers of people born since check digits ended, raise no doubt.
    """
    if kennitala[0] in "89":
        return False
    day, month, year = int(kennitala[:2]), int(kennitala[2:4]), int(kennitala[4:6])
    if day > _COMPANY_DAY_OFFSET:
        day -= _COMPANY_DAY_OFFSET
    century = _CENTURIES.get(kennitala[9])
    if century is None:
        return True
    try:
        born = date(century + year, month, day)
    except ValueError:
        return True
    if born >= _NO_CHECK_DIGIT_SINCE:
        return False
    weighted = sum(int(digit) * weight for digit, weight in zip(kennitala, _CHECK_DIGIT_WEIGHTS, strict=False))
    return (weighted + int(kennitala[8])) % 11 != 0


def parse_iban(text: str) -> str:
    """Read an IBAN, Icelandic or any other country's: in upper case, without spaces and dashes of any kind.

    Raises:
        ValueError: not an IBAN, or its check digits fail.
    """
    written = _without_separators(text)
    # Before upper(): it would turn a non-ASCII letter such as U+017F into an ASCII one.
    if not written or not written.isascii():
        raise ValueError("an IBAN has only the letters A to Z and digits")
    iban = written.upper()
    if iban.startswith("IS"):
        if not _ICELANDIC_IBAN.fullmatch(iban):
            raise ValueError("an Icelandic IBAN has IS and 24 digits")
    elif not _ANY_IBAN.fullmatch(iban):
        raise ValueError("an IBAN has two letters, two check digits and 11 to 30 letters or digits")
    # Compared with the computed digits: mod 97 alone also takes their aliases (00 for 97, 01 for 98, 99 for
    # 02), and one account must not be writable in two ways.
    if iban[2:4] != _iban_check_digits(iban):
        raise ValueError("the check digits of the IBAN do not match: a digit is probably mistyped")
    if not iban.startswith("IS") and not _fits_its_country(iban):
        raise ValueError("the IBAN does not have the form of its country")
    return iban


def parse_bban(text: str) -> str:
    """Read an Icelandic account as 12 digits: bank (4), ledger (2), number (6); spaces and dashes do not count.

    Raises:
        ValueError: not 12 digits.
    """
    bban = _without_separators(text)
    if not _BBAN.fullmatch(bban):
        raise ValueError("a BBAN has 12 digits: bank (4), ledger (2) and account (6)")
    return bban


def account_key_of_iban(iban: str) -> str:
    """The account's identity: `IS` and 12 digits if Icelandic (as its BBAN gives), else the whole IBAN."""
    return account_key_of_bban(iban[4:16]) if iban.startswith("IS") else iban


def account_key_of_bban(bban: str) -> str:
    """The account's identity: `IS` and the 12 digits."""
    return "IS" + bban


def holder_of_iban(iban: str) -> str:
    """The kennitala of the holder that an Icelandic IBAN names; `""` for any other country's."""
    return iban[-10:] if iban.startswith("IS") else ""


def mask_account(account_key: str) -> str:
    """Shorten an account for people and agents: `0159-26-•••654`, a foreign one `DE •••• 3000`.

    Bank, ledger and the last three digits of the number tell two accounts apart. The key of an Icelandic account ends
    where its number ends, so nothing of the holder's kennitala can be in it.
    """
    if not account_key.startswith("IS"):
        return f"{account_key[:2]} •{_MASK} {account_key[-4:]}"
    bban = account_key[2:]
    return f"{bban[:4]}-{bban[4:6]}-{_MASK}{bban[-3:]}"


def format_isk(amount_isk: int, language: str = "en") -> str:
    """Whole krónur for people: `1.000 kr.` in Icelandic (`is`), `1,000 ISK` in any other language."""
    if language == "is":
        return f"{amount_isk:,} kr.".replace(",", ".")
    return f"{amount_isk:,} ISK"


def format_amount(amount: str, currency: str, language: str = "en") -> str:
    """An amount that is somebody else's word, in any currency: `999,900 EUR`; `amount` is a decimal number or `""`."""
    if not amount:
        return currency
    text = f"{Decimal(amount):,f}"
    if language == "is":
        text = text.translate({ord(","): ".", ord("."): ","})
        currency = "kr." if currency == "ISK" else currency
    return f"{text} {currency}"


def check_text(value: str, max_length: int) -> str:
    """The value unchanged, if it is a line that a person sees as it is.

    Raises:
        ValueError: blank, longer than `max_length` characters, or with a control, bidi, zero-width or
            otherwise invisible character, a surrogate, a line break, `<` or `>`.
    """
    if len(value) > max_length:
        raise ValueError(f"has more than {max_length} characters")
    if not value.strip():
        raise ValueError("is blank")
    if not value.isprintable() or any(map(is_invisible, value)):
        raise ValueError("has a character that cannot be seen, such as a control, bidi or zero-width character")
    if "<" in value or ">" in value:
        raise ValueError("has < or >")
    return value


def _without_separators(text: str) -> str:
    """The text without spaces and dashes of any kind; `""` if it is too long to be a number."""
    if len(text) > _MAX_WRITTEN_LENGTH:
        return ""
    return "".join(
        character
        for character in text
        if character not in _MORE_SEPARATORS and unicodedata.category(character) not in _SEPARATOR_CATEGORIES
    )


def _iban_check_digits(iban: str) -> str:
    """The two check digits that ISO 7064 mod 97-10 gives for an IBAN of ASCII letters and digits."""
    rearranged = iban[4:] + iban[:2] + "00"
    return f"{98 - int(''.join(str(int(character, 36)) for character in rearranged)) % 97:02}"


def _fits_its_country(iban: str) -> bool:
    """Whether the country exists and its structure fits. Loads a registry: for foreign IBANs only."""
    from stdnum import iban as registry

    return registry.is_valid(iban)
