"""The settings, read once from the environment: one frozen object, or every problem at once.

Nothing here is slow to import: a start must not wait for pydantic.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from blikk_mcp.settings import table
from blikk_mcp.settings.placeholders import MESSAGE, holds_placeholder
from blikk_mcp.settings.table import PRODUCTION_URL, SETTINGS, Setting
from blikk_mcp.settings.values import (
    Environment,
    Language,
    Problem,
    SettingsError,
    key_file_notice,
    parse_ledger,
    profile_notice,
    read_key,
    read_password,
)
from blikk_payments.channel.secret import SecretStr
from blikk_payments.policy import AllowedCreditor

__all__ = [
    "PRODUCTION_URL",
    "SETTINGS",
    "Settings",
    "environment_of",
    "log_settings",
    "raw_secrets",
    "read_settings",
    "take_environment",
]

MAX_NAME_SHOWN = 60
NO_SECRET = SecretStr("")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator decided. Amounts are whole krónur. The defaults are in the table."""

    api_key: SecretStr
    base_url: str
    environment: Environment
    sca_user_ssn: str
    debtor_bban: str
    ledger: Path | str
    """A SQLite file, or the address of a PostgreSQL database."""
    ledger_password: SecretStr
    max_amount_isk: int
    daily_limit_isk: int
    allowed_creditors: tuple[AllowedCreditor, ...]
    ask_above_isk: int | None
    creates_per_minute: int
    duplicate_window_minutes: int
    read_only: bool
    sca_hosts: tuple[str, ...]
    language: Language
    wait_seconds: int
    max_wait_seconds: int
    always_load: bool
    front_door: bool
    log_level: str
    log_format: str
    notices: tuple[str, ...]

    @property
    def secrets(self) -> tuple[str, ...]:
        """What is kept out of every output."""
        return self.api_key.get_secret_value(), self.ledger_password.get_secret_value()

    def __repr__(self) -> str:
        return f"Settings(environment={self.environment!r})"


def take_environment(live: MutableMapping[str, str]) -> dict[str, str]:
    """A copy of the process's environment, out of which the key is taken, so that no child process inherits it."""
    environ = dict(live)
    live.pop(table.API_KEY.name, None)
    return environ


def read_settings(
    environ: Mapping[str, str], *, need_key: bool = True, environment: Environment | None = None
) -> Settings:
    """Read the settings of this environment.

    Without `need_key` a key that is not set is no problem: the ledger can be looked at without one. `environment` is
    given by who knows better than the base URL: `sandbox`, for a sandbox that this process started itself.

    Raises:
        SettingsError: everything that is wrong, at once.
    """
    reader = _Reader(environ)
    reader.check_names()
    base_url = reader.read(table.BASE_URL)
    known_environment = environment or reader.environment(base_url)
    key_file = reader.read(table.API_KEY_FILE)
    ledger = reader.ledger(base_url)
    notices = (
        key_file_notice(key_file) if key_file else "",
        profile_notice(table.API_KEY_FILE.name, key_file),
        profile_notice(table.LEDGER.name, ledger),
    )
    settings = Settings(
        api_key=reader.key(key_file, need=need_key),
        base_url=base_url,
        environment=known_environment,
        sca_user_ssn=reader.read(table.SCA_USER_SSN),
        debtor_bban=reader.read(table.DEBTOR_BBAN),
        ledger=ledger,
        ledger_password=reader.ledger_password(ledger),
        max_amount_isk=reader.read(table.MAX_AMOUNT_ISK),
        daily_limit_isk=reader.read(table.DAILY_LIMIT_ISK),
        allowed_creditors=reader.read(table.ALLOWED_CREDITORS),
        ask_above_isk=reader.read(table.ASK_ABOVE_ISK),
        creates_per_minute=reader.read(table.CREATES_PER_MINUTE),
        duplicate_window_minutes=reader.read(table.DUPLICATE_WINDOW_MINUTES),
        read_only=reader.read(table.READ_ONLY),
        sca_hosts=reader.read(table.SCA_HOSTS),
        language=reader.read(table.LANGUAGE),
        wait_seconds=reader.read(table.WAIT_SECONDS),
        max_wait_seconds=reader.read(table.MAX_WAIT_SECONDS),
        always_load=reader.read(table.ALWAYS_LOAD),
        front_door=reader.read(table.FRONT_DOOR),
        log_level=reader.read(table.LOG_LEVEL),
        log_format=reader.read(table.LOG_FORMAT),
        notices=tuple(filter(None, notices)),
    )
    if reader.problems:
        raise SettingsError(
            reader.problems,
            environment=known_environment,
            read_only=settings.read_only,
            always_load=settings.always_load,
        )
    return settings


def raw_secrets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """What could be secret in an environment whose settings may be wrong."""
    from blikk_payments.ledger.location import password_in

    return environ.get(table.API_KEY.name, ""), password_in(environ.get(table.LEDGER.name, "").strip())


def log_settings(environ: Mapping[str, str]) -> tuple[str, str]:
    """Level and format of the logs; the defaults where those settings are wrong, so that the problem can be logged."""
    reader = _Reader(environ)
    return reader.read(table.LOG_LEVEL), reader.read(table.LOG_FORMAT)


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

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[Problem] = []

    def read(self, setting: Setting[T]) -> T:
        text = self._environ.get(setting.name, "").strip()
        try:
            if text:
                return setting.parse(_filled_in(text))
            if setting.empty_is_wrong and setting.name in self._environ:
                raise ValueError("is empty; leave it unset, or say what is meant")
        except ValueError as error:
            self._complain(setting, error)
        return setting.default

    def key(self, file: Path | None, *, need: bool) -> SecretStr:
        value = self._environ.get(table.API_KEY.name, "")
        if not value and not file and (not need or self._is_wrong(table.API_KEY_FILE)):
            return SecretStr("")
        try:
            return SecretStr(read_key(value, file))
        except SettingsError as error:
            self.problems.extend(error.problems)
            return SecretStr("")

    def ledger(self, base_url: str) -> Path | str:
        try:
            text = _filled_in(self._environ.get(table.LEDGER.name, "").strip())
            return parse_ledger(text, base_url, self._environ)
        except ValueError as error:
            self._complain(table.LEDGER, error)
            return Path()

    def ledger_password(self, ledger: Path | str) -> SecretStr:
        file = self.read(table.LEDGER_PASSWORD_FILE)
        try:
            return NO_SECRET if isinstance(ledger, Path) else SecretStr(read_password(ledger, file))
        except ValueError as error:
            self._complain(table.LEDGER_PASSWORD_FILE, error)
            return NO_SECRET

    def environment(self, base_url: str) -> Environment:
        return "custom" if self._is_wrong(table.BASE_URL) else environment_of(base_url)

    def check_names(self) -> None:
        for name in sorted(self._environ):
            if name.startswith(table.PREFIX) and name not in table.NAMES:
                shown = re.sub(r"[^A-Za-z0-9_]", "?", name[:MAX_NAME_SHOWN])
                near = table.nearest_name(name)
                hint = f": did you mean {near}?" if near else ""
                self.problems.append(Problem(shown, f"there is no such setting{hint}"))

    def _complain(self, setting: Setting[T], error: ValueError) -> None:
        self.problems.append(Problem(setting.name, str(error)))

    def _is_wrong(self, setting: Setting[T]) -> bool:
        return any(problem.name == setting.name for problem in self.problems)


def _filled_in(text: str) -> str:
    if holds_placeholder(text):
        raise ValueError(MESSAGE)
    return text
