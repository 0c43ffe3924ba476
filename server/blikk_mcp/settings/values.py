"""What a setting's text may be. Every complaint names the rule and never repeats the value."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from blikk_payments.channel.links import is_loopback
from blikk_payments.identifiers import (
    account_key_of_bban,
    account_key_of_iban,
    parse_bban,
    parse_iban,
    parse_kennitala,
)
from blikk_payments.policy import AllowedCreditor

MIN_KEY_LENGTH = 8
"""What is shorter cannot be told from ordinary text, and so not be kept out of it."""

MAX_KEY_LENGTH = 512
MAX_WHOLE = 10**12

_PLACEHOLDER = re.compile(r"\$\{.*|\$[A-Za-z_][A-Za-z0-9_]*|\{env:.*|<.*>|%[A-Za-z_]+%", re.DOTALL)
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_BASE_URL = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[::1\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one setting, without its value."""

    name: str
    message: str

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


class SettingsError(Exception):
    """The settings cannot be used; `problems` names all that has to be corrected."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


def read_key(value: str, file: str) -> str:
    """The key from its variable or its file.

    Raises:
        SettingsError: there is none, there are two, or it cannot be a key.
    """
    if value and file:
        raise SettingsError([Problem("BLIKK_API_KEY", "set this or BLIKK_API_KEY_FILE, not both")])
    name = "BLIKK_API_KEY_FILE" if file else "BLIKK_API_KEY"
    try:
        return _checked_key(_key_of_file(Path(file)) if file else value)
    except ValueError as error:
        raise SettingsError([Problem(name, str(error))]) from None


def key_file_notice(file: str) -> str:
    """A notice if others on this machine can read or change the key file; `""` if not.

    A notice and not a refusal: container platforms mount secrets readable by all, inside the container.
    """
    try:
        exposed = os.name == "posix" and Path(file).stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    except OSError:
        exposed = False
    return "BLIKK_API_KEY_FILE: others on this machine can read or change the file; chmod 600 it" if exposed else ""


def _key_of_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_KEY_LENGTH + 3).decode("ascii")
    except OSError:
        raise ValueError("the key file cannot be read") from None
    except UnicodeDecodeError:
        raise ValueError("the key has non-ASCII characters") from None
    return text.removesuffix("\n").removesuffix("\r")


def _checked_key(key: str) -> str:
    if not key:
        raise ValueError("is not set; the channel's key comes from Blikk")
    if _PLACEHOLDER.fullmatch(key):
        raise ValueError(
            "is still a placeholder: the client did not fill it in. Set the variable where the client starts"
        )
    if not key.isascii():
        raise ValueError("the key has non-ASCII characters")
    if any(not "!" <= character <= "~" for character in key):
        raise ValueError("the key has spaces, line breaks or control characters")
    if len(key) < MIN_KEY_LENGTH:
        raise ValueError("the key is too short to be one")
    if len(key) > MAX_KEY_LENGTH:
        raise ValueError(f"the key is longer than {MAX_KEY_LENGTH} characters")
    return key


def parse_base_url(text: str) -> str:
    """https, or http on loopback; no user, query or fragment; without a slash at the end."""
    if not _BASE_URL.fullmatch(text):
        raise ValueError("must be an https address like https://api.blikk.tech/paymentchannel")
    if text.startswith("http://") and not is_loopback(text):
        raise ValueError("must be https; plain http is for loopback only")
    try:
        urlsplit(text).port  # noqa: B018 - raises for a port that cannot be
    except ValueError:
        raise ValueError("has a port that cannot be") from None
    return text.rstrip("/")


def parse_kennitala_setting(text: str) -> str:
    """Ten digits."""
    return parse_kennitala(text)


def parse_bban_setting(text: str) -> str:
    """Twelve digits."""
    return parse_bban(text)


def parse_whole(text: str) -> int:
    """A whole number from 0."""
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise ValueError("must be a whole number, digits only")
    return int(text)


def parse_amount(text: str) -> int:
    """Whole krónur, digits only: neither `1.000` nor `1,000`, which one could read as decimals."""
    try:
        return parse_whole(text)
    except ValueError:
        raise ValueError("must be whole krónur, digits only") from None


def parse_boolean(text: str) -> bool:
    """`true`/`false`, `1`/`0`, `yes`/`no`."""
    try:
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[text.lower()]
    except KeyError:
        raise ValueError("must be true or false") from None


def parse_choice(*choices: str) -> Callable[[str], str]:
    """One of these words."""

    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text.lower()

    return parse


def parse_hosts(text: str) -> tuple[str, ...]:
    """DNS names, comma-separated."""
    hosts = tuple(host.strip().lower() for host in text.split(",") if host.strip())
    if not hosts or not all(_HOST.fullmatch(host) and len(host) <= 253 for host in hosts):
        raise ValueError("must be host names like bank.example.is, comma-separated, with no scheme and no path")
    return hosts


def parse_creditors(text: str) -> tuple[AllowedCreditor, ...]:
    """IBANs, BBANs and kennitalas, comma-separated."""
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    if not entries:
        raise ValueError("lists nobody: leave it unset to allow any creditor")
    return tuple(_creditor(entry, place) for place, entry in enumerate(entries, start=1))


def _creditor(entry: str, place: int) -> AllowedCreditor:
    plain = re.sub(r"[ -]", "", entry)
    try:
        if plain[:2].isalpha():
            return AllowedCreditor(account_key=account_key_of_iban(parse_iban(entry)))
        if len(plain) == 10:
            return AllowedCreditor(kennitala=parse_kennitala(plain))
        return AllowedCreditor(account_key=account_key_of_bban(parse_bban(entry)))
    except ValueError:
        raise ValueError(f"entry {place} is no IBAN, no 12-digit account and no 10-digit kennitala") from None


def parse_ledger(text: str, base_url: str, environ: Mapping[str, str]) -> Path:
    """The ledger's path; by default one file per base URL in the user's state folder."""
    if "://" in text:
        raise ValueError("only a path is supported: the PostgreSQL ledger is not part of this version")
    if text:
        return Path(text).expanduser()
    from blikk_payments.ledger.sqlite.paths import default_ledger_path

    home = environ.get("XDG_STATE_HOME", "")
    state = Path(home) if home and Path(home).is_absolute() else Path.home() / ".local" / "state"
    return default_ledger_path(base_url, state)
