"""What a setting's text may be. Every complaint names the rule and never repeats the value."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from blikk_mcp.settings.key_rules import MAX_KEY_LENGTH, check_key
from blikk_mcp.settings.placeholders import is_placeholder
from blikk_payments.identifiers import (
    account_key_of_bban,
    account_key_of_iban,
    parse_bban,
    parse_iban,
    parse_kennitala,
)
from blikk_payments.policy import AllowedCreditor
from blikk_payments.system import PLATFORM
from blikk_payments.system.private import bits_of_others, is_unguarded

_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")

Environment = Literal["production", "stage", "sandbox", "custom"]
Language = Literal["en", "is"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one setting, without its value."""

    name: str
    message: str

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


class SettingsError(Exception):
    """The settings cannot be used; `problems` names all that has to be corrected.

    `environment` is what the base URL says, whatever else is wrong, and the list of tools is what its settings say.
    """

    def __init__(
        self,
        problems: list[Problem],
        *,
        environment: Environment = "custom",
        read_only: bool = False,
        always_load: bool = True,
    ) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems
        self.environment: Environment = environment
        self.read_only = read_only
        self.always_load = always_load


def read_key(value: str, file: Path | None) -> str:
    """The key from its variable or its file.

    Raises:
        SettingsError: there is none, there are two, or it cannot be a key.
    """
    if value and file and not is_placeholder(value):
        raise SettingsError([Problem("BLIKK_API_KEY", "set this or BLIKK_API_KEY_FILE, not both")])
    name = "BLIKK_API_KEY_FILE" if file and not value else "BLIKK_API_KEY"
    try:
        return check_key(value or (_key_of_file(file) if file else ""))
    except ValueError as error:
        raise SettingsError([Problem(name, str(error))]) from None


def key_file_notice(file: Path) -> str:
    """A notice if others on this machine can read or change the key file; `""` if not.

    A notice and not a refusal: container platforms mount secrets readable by all, inside the container.
    """
    try:
        exposed = bits_of_others(file.stat())
    except OSError:
        exposed = 0
    return "BLIKK_API_KEY_FILE: others on this machine can read or change the file; chmod 600 it" if exposed else ""


def profile_notice(name: str, file: Path | str | None, platform: str = PLATFORM) -> str:
    """A notice if a secret or the ledger lies where Windows may let others at it, which is not checked; `""` if not."""
    try:
        unguarded = isinstance(file, Path) and is_unguarded(file, platform)
    except ValueError:
        unguarded = True
    said = (
        "the file is outside your own folder, and whether others on this machine can read or change it is not checked"
    )
    return f"{name}: {said}" if unguarded else ""


def _key_of_file(path: Path) -> str:
    return _text_of_file(path, "the key file", encoding="ascii", non_text="the key has non-ASCII characters")


def _text_of_file(path: Path, name: str, *, encoding: str = "utf-8", non_text: str = "the password is no text") -> str:
    """What a secret's file holds, a little more of it than a secret may be long, without the line break at its end."""
    try:
        # A pipe or a terminal would hold up the start until somebody writes into it.
        if not path.is_file():
            raise ValueError(f"{name} is not there, or not a regular file")
        with open(path, "rb", opener=_open_at_once) as file:
            text = file.read(MAX_KEY_LENGTH + 3).decode(encoding)
    except OSError:
        raise ValueError(f"{name} cannot be read") from None
    except UnicodeDecodeError:
        raise ValueError(non_text) from None
    return text.removesuffix("\n").removesuffix("\r")


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def parse_file(text: str) -> Path:
    """A file's path; `~` is the user's home.

    Raises:
        ValueError: nobody has that home.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError("names the home folder of nobody here; write the path out") from None


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


def parse_switch(text: str) -> bool:
    """`on`/`off`, or as any boolean."""
    switch = {"on": True, "off": False}.get(text.lower())
    return parse_boolean(text) if switch is None else switch


def parse_threshold(text: str) -> int | None:
    """Whole krónur, or `never`."""
    return None if text.lower() == "never" else parse_amount(text)


def parse_language(text: str) -> Language:
    """English or Icelandic."""
    return "is" if parse_choice("en", "is")(text) == "is" else "en"


def parse_choice(*choices: str) -> Callable[[str], str]:
    """One of these words."""

    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text.lower()

    return parse


def parse_hosts(text: str) -> tuple[str, ...]:
    """DNS names, comma-separated, or `any`."""
    if text.lower() == "any":
        return ()
    hosts = tuple(host.strip().lower() for host in text.split(",") if host.strip())
    if not hosts or not all(_HOST.fullmatch(host) and len(host) <= 253 for host in hosts):
        raise ValueError("must be host names like bank.example.is, comma-separated, with no scheme and no path")
    return hosts


def parse_allowed_creditors(text: str) -> tuple[AllowedCreditor, ...]:
    """IBANs, BBANs and kennitalas, comma-separated, or `any`."""
    if text.lower() == "any":
        return ()
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    if not entries:
        raise ValueError("lists nobody: say `any` to allow any creditor")
    return tuple(_creditor(entry, place) for place, entry in enumerate(entries, start=1))


def _creditor(entry: str, place: int) -> AllowedCreditor:
    try:
        if any(character.isalpha() for character in entry):
            return AllowedCreditor(account_key=account_key_of_iban(parse_iban(entry)))
        with suppress(ValueError):
            return AllowedCreditor(kennitala=parse_kennitala(entry))
        return AllowedCreditor(account_key=account_key_of_bban(parse_bban(entry)))
    except ValueError:
        raise ValueError(f"entry {place} is no IBAN, no 12-digit account and no 10-digit kennitala") from None


def parse_ledger(text: str, base_url: str, environ: Mapping[str, str]) -> Path | str:
    """The ledger's path or its PostgreSQL address; by default one file per base URL in the user's state folder."""
    from blikk_payments.ledger.location import default_ledger_path, is_postgres, ledger_address, ledger_file
    from blikk_payments.system.folders import earlier_state_home, state_home

    if is_postgres(text):
        return ledger_address(text)
    if text:
        return ledger_file(text)
    return default_ledger_path(base_url, state_home(environ), earlier_state_home(environ))


def read_password(address: str, file: Path | None) -> str:
    """The password of a PostgreSQL ledger, from its file or its address; `""` where it needs none.

    Raises:
        ValueError: there are two, or the file holds none.
    """
    from blikk_payments.ledger.location import password_in

    inside = password_in(address)
    if file is None:
        return inside
    if inside:
        raise ValueError("the address in BLIKK_LEDGER holds a password, too: leave one of them out")
    password = _text_of_file(file, "the password's file")
    if not password or "\n" in password or "\0" in password:
        raise ValueError("the password's file must hold one line, the password")
    return password
