"""The settings, read once from the environment: one frozen object, or every problem at once."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr

from blikk_mcp.settings.values import (
    Problem,
    SettingsError,
    key_file_notice,
    parse_amount,
    parse_base_url,
    parse_bban_setting,
    parse_boolean,
    parse_choice,
    parse_creditors,
    parse_hosts,
    parse_kennitala_setting,
    parse_ledger,
    parse_whole,
    read_key,
)
from blikk_payments.policy import AllowedCreditor

PRODUCTION_URL = "https://api.blikk.tech/paymentchannel"
STAGE_URL = "https://stage.blikk.tech/paymentchannel"

Environment = Literal["production", "stage", "sandbox", "custom"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as the documentation shows it."""

    name: str
    default: str
    meaning: str


SETTINGS = (
    Setting("BLIKK_API_KEY", "", "the channel's key; or `BLIKK_API_KEY_FILE`"),
    Setting("BLIKK_API_KEY_FILE", "", "a file that holds the key; best readable by its owner only"),
    Setting(
        "BLIKK_BASE_URL",
        PRODUCTION_URL,
        f"https; plain http on loopback only. Blikk's stage is probably `{STAGE_URL}`",
    ),
    Setting("BLIKK_SCA_USER_SSN", "", "kennitala of the person who approves; left out of the request when unset"),
    Setting(
        "BLIKK_DEBTOR_BBAN",
        "",
        "only for a channel with no configured account: the account that pays, 12 digits",
    ),
    Setting(
        "BLIKK_LEDGER",
        "a file in the user's state folder, one per base URL",
        "path of the SQLite ledger; one that holds another base URL's payments is refused",
    ),
    Setting("BLIKK_MAX_AMOUNT_ISK", "100000", "most that one payment may be, in krónur"),
    Setting("BLIKK_DAILY_LIMIT_ISK", "500000", "most that one day's payments (UTC) may add up to, in krónur"),
    Setting(
        "BLIKK_ALLOWED_CREDITORS",
        "any",
        "comma-separated accounts (IBAN or BBAN) or kennitalas. A kennitala must match `creditor_ssn` and the holder's "
        "digits of an Icelandic IBAN; it does not cover a BBAN",
    ),
    Setting(
        "BLIKK_ASK_ABOVE_ISK",
        "never",
        "above this a person must confirm through the client before anything is sent",
    ),
    Setting("BLIKK_CREATES_PER_MINUTE", "10", "new payments that a ledger lets through in a minute"),
    Setting(
        "BLIKK_DUPLICATE_WINDOW_MINUTES",
        "1440",
        "how long an equal payment (same account, same amount) under another key is held up; 0 turns it off",
    ),
    Setting("BLIKK_READ_ONLY", "false", "`create_payment` is not offered"),
    Setting(
        "BLIKK_SCA_HOSTS",
        "any https host",
        "comma-separated hosts (subdomains included) an approval link may point to",
    ),
    Setting("BLIKK_LANGUAGE", "en", "`is`: what people read is in Icelandic"),
    Setting("BLIKK_WAIT_SECONDS", "25", "how long `await_payment` waits when it is not told"),
    Setting("BLIKK_MAX_WAIT_SECONDS", "45", "how long `await_payment` waits at most"),
    Setting("BLIKK_LOG_LEVEL", "info", "`debug`, `info`, `warning` or `error`, on stderr"),
    Setting("BLIKK_LOG_FORMAT", "json", "`text` for people"),
)
"""Every setting there is: the documentation's table and the check for unknown names are made from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator decided. Amounts are whole krónur."""

    api_key: SecretStr
    base_url: str = PRODUCTION_URL
    environment: Environment = "production"
    sca_user_ssn: str = ""
    debtor_bban: str = ""
    ledger: Path
    max_amount_isk: int = 100_000
    daily_limit_isk: int = 500_000
    allowed_creditors: tuple[AllowedCreditor, ...] = ()
    ask_above_isk: int | None = None
    creates_per_minute: int = 10
    duplicate_window_minutes: int = 1440
    read_only: bool = False
    sca_hosts: tuple[str, ...] = ()
    language: Literal["en", "is"] = "en"
    wait_seconds: int = 25
    max_wait_seconds: int = 45
    log_level: str = "info"
    log_format: str = "json"
    notices: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Settings(environment={self.environment!r})"


def read_settings(environ: MutableMapping[str, str], *, need_key: bool = True) -> Settings:
    """The settings of this environment. The key is taken out of it, so that no child process inherits it.

    Without `need_key` a key that is not set is no problem: the ledger can be looked at without one.

    Raises:
        SettingsError: everything that is wrong, at once.
    """
    reader = _Reader(environ)
    reader.check_names()
    base_url = reader.read("BLIKK_BASE_URL", parse_base_url, PRODUCTION_URL)
    values: dict[str, Any] = {
        "api_key": reader.key(need=need_key),
        "base_url": base_url,
        "environment": environment_of(base_url),
        "sca_user_ssn": reader.read("BLIKK_SCA_USER_SSN", parse_kennitala_setting, ""),
        "debtor_bban": reader.read("BLIKK_DEBTOR_BBAN", parse_bban_setting, ""),
        "ledger": reader.ledger(base_url),
        "max_amount_isk": reader.read("BLIKK_MAX_AMOUNT_ISK", parse_amount, 100_000),
        "daily_limit_isk": reader.read("BLIKK_DAILY_LIMIT_ISK", parse_amount, 500_000),
        "allowed_creditors": reader.read("BLIKK_ALLOWED_CREDITORS", parse_creditors, ()),
        "ask_above_isk": reader.read("BLIKK_ASK_ABOVE_ISK", parse_amount, None),
        "creates_per_minute": reader.read("BLIKK_CREATES_PER_MINUTE", parse_whole, 10),
        "duplicate_window_minutes": reader.read("BLIKK_DUPLICATE_WINDOW_MINUTES", parse_whole, 1440),
        "read_only": reader.read("BLIKK_READ_ONLY", parse_boolean, False),
        "sca_hosts": reader.read("BLIKK_SCA_HOSTS", parse_hosts, ()),
        "language": reader.read("BLIKK_LANGUAGE", parse_choice("en", "is"), "en"),
        "wait_seconds": reader.read("BLIKK_WAIT_SECONDS", parse_whole, 25),
        "max_wait_seconds": reader.read("BLIKK_MAX_WAIT_SECONDS", parse_whole, 45),
        "log_level": reader.read("BLIKK_LOG_LEVEL", parse_choice("debug", "info", "warning", "error"), "info"),
        "log_format": reader.read("BLIKK_LOG_FORMAT", parse_choice("json", "text"), "json"),
    }
    file = environ.get("BLIKK_API_KEY_FILE", "").strip()
    notice = key_file_notice(file) if file else ""
    values["notices"] = (notice,) if notice else ()
    if reader.problems:
        raise SettingsError(reader.problems)
    return Settings(**values)


def log_settings(environ: Mapping[str, str]) -> tuple[str, str]:
    """Level and format of the logs; the defaults where those settings are wrong, so that the problem can be logged."""
    level, form = environ.get("BLIKK_LOG_LEVEL", "").lower(), environ.get("BLIKK_LOG_FORMAT", "").lower()
    return (
        level if level in ("debug", "info", "warning", "error") else "info",
        form if form in ("json", "text") else "json",
    )


def environment_of(base_url: str) -> Environment:
    """Which environment a base URL is: exactly Blikk's two hosts have a name, every other one is `custom`."""
    parts = urlsplit(base_url)
    if parts.scheme != "https" or parts.port not in (None, 443):
        return "custom"
    match parts.hostname:
        case "api.blikk.tech":
            return "production"
        case "stage.blikk.tech":
            return "stage"
        case _:
            return "custom"


class _Reader:
    """Reads one setting after the other and collects what is wrong."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[Problem] = []

    def read(self, name: str, parse: Callable[[str], T], default: T) -> T:
        text = self._environ.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self.problems.append(Problem(name, str(error)))
            return default

    def key(self, *, need: bool) -> SecretStr:
        value = self._environ.pop("BLIKK_API_KEY", "")
        if not need and not value and not self._environ.get("BLIKK_API_KEY_FILE"):
            return SecretStr("")
        try:
            return SecretStr(read_key(value, self._environ.get("BLIKK_API_KEY_FILE", "").strip()))
        except SettingsError as error:
            self.problems.extend(error.problems)
            return SecretStr("")

    def ledger(self, base_url: str) -> Path:
        text = self._environ.get("BLIKK_LEDGER", "").strip()
        try:
            return parse_ledger(text, base_url, self._environ)
        except ValueError as error:
            self.problems.append(Problem("BLIKK_LEDGER", str(error)))
            return Path()

    def check_names(self) -> None:
        known = [setting.name for setting in SETTINGS]
        for name in sorted(self._environ):
            if name.startswith("BLIKK_") and name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f": did you mean {near[0]}?" if near else ""
                self.problems.append(Problem(name[:60], f"there is no such setting{hint}"))
