"""Kennitala, IBAN, BBAN, krónur and names: read strictly, written one way, masked for people.

No error raised here ever contains the value it is about: the last ten digits of an Icelandic IBAN are a
kennitala. Sources: Registers Iceland on kennitala (some numbers issued since 18 February 2026 carry no check
digit, system numbers begin with 8 or 9); ISO 13616 on IBAN; Blikk's field names,
https://docs.blikk.tech/docs/paymentchannel.
"""

from __future__ import annotations

import re
from datetime import date

from blikk_payments.channel.text import is_invisible

# [0-9] and never \d: Python's \d takes Arabic-Indic and fullwidth digits too.
_KENNITALA = re.compile(r"[0-9]{6}[- ]?[0-9]{4}")
_BBAN = re.compile(r"[0-9]{12}")
_ICELANDIC_IBAN = re.compile(r"IS[0-9]{24}")
_ANY_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_SEPARATORS = str.maketrans("", "", " -")

_CHECK_DIGIT_WEIGHTS = (3, 2, 7, 6, 5, 4, 3, 2)
_CENTURIES = {"8": 1800, "9": 1900, "0": 2000}
_COMPANY_DAY_OFFSET = 40
_NO_CHECK_DIGIT_SINCE = date(2026, 2, 18)
_MAX_WRITTEN_LENGTH = 80
"""An account is never longer than this however it is spaced; what is longer is not looked at."""


def parse_kennitala(text: str) -> str:
    """The kennitala as 10 digits; one dash or space after the sixth is allowed.

    "Ten digits" is the only hard rule: check `kennitala_doubts` for a warning.

    Raises:
        ValueError: not a kennitala.
    """
    if not _KENNITALA.fullmatch(text):
        raise ValueError("a kennitala has 10 digits, with at most a dash or a space after the sixth")
    return text[:6] + text[-4:]


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
    """The IBAN in upper case without spaces and dashes; Icelandic or any other country's.

    Raises:
        ValueError: not an IBAN, or its check digits fail.
    """
    # Before upper(): it would turn a non-ASCII letter such as U+017F into an ASCII one.
    if len(text) > _MAX_WRITTEN_LENGTH or not text.isascii():
        raise ValueError("an IBAN has only the letters A to Z and digits")
    iban = text.translate(_SEPARATORS).upper()
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
    """The Icelandic account as 12 digits: bank (4), ledger (2), account (6); spaces and dashes are allowed.

    Raises:
        ValueError: not 12 digits.
    """
    bban = text.translate(_SEPARATORS) if len(text) <= _MAX_WRITTEN_LENGTH else ""
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
    """The account as people and agents see it: country and bank only, `IS•• 0159 ••••`."""
    # A foreign key is a whole IBAN, with check digits before the bank; an Icelandic one has none.
    bank = account_key[2:6] if account_key.startswith("IS") else account_key[4:8]
    return f"{account_key[:2]}•• {bank} ••••"


def format_isk(amount_isk: int, language: str = "en") -> str:
    """Whole krónur for people: `1.000 kr.` in Icelandic (`is`), `1,000 ISK` in any other language."""
    if language == "is":
        return f"{amount_isk:,} kr.".replace(",", ".")
    return f"{amount_isk:,} ISK"


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


def _iban_check_digits(iban: str) -> str:
    """The two check digits that ISO 7064 mod 97-10 gives for an IBAN of ASCII letters and digits."""
    rearranged = iban[4:] + iban[:2] + "00"
    return f"{98 - int(''.join(str(int(character, 36)) for character in rearranged)) % 97:02}"


def _fits_its_country(iban: str) -> bool:
    """Whether the country exists and its structure fits. Loads a registry: for foreign IBANs only."""
    from stdnum import iban as registry

    return registry.is_valid(iban)
