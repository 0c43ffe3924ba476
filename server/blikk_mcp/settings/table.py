"""Every setting there is, once: its name, how it is read, its default, and what it means.

The settings' reader, the check for unknown names, the README's table, `config` and `doctor` are made from it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from blikk_mcp.settings.key_rules import check_key
from blikk_mcp.settings.values import (
    Language,
    parse_allowed_creditors,
    parse_amount,
    parse_bban_setting,
    parse_boolean,
    parse_choice,
    parse_file,
    parse_hosts,
    parse_kennitala_setting,
    parse_language,
    parse_switch,
    parse_threshold,
    parse_whole,
)
from blikk_payments.channel.base_url import parse_base_url
from blikk_payments.policy import AllowedCreditor, Policy

PREFIX = "BLIKK_"
PRODUCTION_URL = "https://api.blikk.tech/paymentchannel"
STAGE_URL = "https://stage.blikk.tech/paymentchannel"

SIMILAR_ENOUGH = 0.75
"""How alike a mistyped name has to be to a setting's (1 is equal), their common beginning left out."""

_RULES = Policy()
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """One setting. `parse` raises ValueError with a rule that was broken, never with the value.

    `default_words` is the default for people, where the value itself does not say it. `empty_is_wrong`: a variable that
    came to nothing must not be taken for "not set", since the default is the wider choice.
    """

    name: str
    parse: Callable[[str], T]
    default: T
    meaning: str
    default_words: str = ""
    empty_is_wrong: bool = False


API_KEY = Setting("BLIKK_API_KEY", check_key, "", "the channel's key; or `BLIKK_API_KEY_FILE`")
API_KEY_FILE = Setting(
    "BLIKK_API_KEY_FILE", parse_file, None, "a file that holds the key (`~` is your home); best readable by you only"
)
BASE_URL = Setting(
    "BLIKK_BASE_URL",
    parse_base_url,
    PRODUCTION_URL,
    f"https; plain http on loopback only. Blikk's stage is probably `{STAGE_URL}`",
    empty_is_wrong=True,
)
SCA_USER_SSN = Setting(
    "BLIKK_SCA_USER_SSN",
    parse_kennitala_setting,
    "",
    "kennitala of the person who approves; left out of the request when unset",
)
DEBTOR_BBAN = Setting(
    "BLIKK_DEBTOR_BBAN",
    parse_bban_setting,
    "",
    "only for a channel with no configured account: the account that pays, 12 digits",
)
LEDGER = Setting(
    "BLIKK_LEDGER",
    str,
    "",
    "path of the SQLite ledger, absolute or from `~`, or `postgresql://user@host/database` for one that several machines "
    "share (`docs/operate.md`); one that holds another base URL's payments is refused",
    default_words="a file in the user's state folder, one per base URL",
)
LEDGER_PASSWORD_FILE = Setting(
    "BLIKK_LEDGER_PASSWORD_FILE", parse_file, None, "a file that holds the password of a PostgreSQL ledger"
)
MAX_AMOUNT_ISK = Setting(
    "BLIKK_MAX_AMOUNT_ISK", parse_amount, _RULES.max_amount_isk, "most that one payment may be, in krónur"
)
DAILY_LIMIT_ISK = Setting(
    "BLIKK_DAILY_LIMIT_ISK",
    parse_amount,
    _RULES.daily_limit_isk,
    "most that one day's payments (UTC) may add up to, in krónur",
)
ALLOWED_CREDITORS: Setting[tuple[AllowedCreditor, ...]] = Setting(
    "BLIKK_ALLOWED_CREDITORS",
    parse_allowed_creditors,
    (),
    "comma-separated accounts (IBAN or BBAN) or kennitalas, or `any`. A kennitala must match `creditor_ssn` and the "
    "holder's digits of an Icelandic IBAN; it does not cover a BBAN",
    default_words="`any`",
    empty_is_wrong=True,
)
ASK_ABOVE_ISK: Setting[int | None] = Setting(
    "BLIKK_ASK_ABOVE_ISK",
    parse_threshold,
    None,
    "above this a person must confirm through the client before anything is sent",
    default_words="`never`",
)
CREATES_PER_MINUTE = Setting(
    "BLIKK_CREATES_PER_MINUTE",
    parse_whole,
    _RULES.creates_per_minute,
    "new payments that a ledger lets through in a minute",
)
DUPLICATE_WINDOW_MINUTES = Setting(
    "BLIKK_DUPLICATE_WINDOW_MINUTES",
    parse_whole,
    _RULES.duplicate_window_minutes,
    "how long an equal payment (same account, same amount) under another key is held for confirmation; 0 turns it off",
)
READ_ONLY = Setting("BLIKK_READ_ONLY", parse_boolean, False, "`true`: `create_payment` is not offered")
SCA_HOSTS: Setting[tuple[str, ...]] = Setting(
    "BLIKK_SCA_HOSTS",
    parse_hosts,
    (),
    "comma-separated hosts (subdomains included) an approval link may point to",
    default_words="`any` (https host)",
    empty_is_wrong=True,
)
LANGUAGE: Setting[Language] = Setting("BLIKK_LANGUAGE", parse_language, "en", "`is`: what people read is in Icelandic")
WAIT_SECONDS = Setting("BLIKK_WAIT_SECONDS", parse_whole, 25, "how long `await_payment` waits when it is not told")
MAX_WAIT_SECONDS = Setting("BLIKK_MAX_WAIT_SECONDS", parse_whole, 45, "how long `await_payment` waits at most")
ALWAYS_LOAD = Setting(
    "BLIKK_ALWAYS_LOAD",
    parse_boolean,
    True,
    "the tools ask to be in a model's first turn, where the client defers tools",
)
FRONT_DOOR = Setting(
    "BLIKK_FRONT_DOOR",
    parse_switch,
    True,
    "`off`: the SDK answers the handshake too",
    default_words="`on`",
)
LOG_LEVEL = Setting(
    "BLIKK_LOG_LEVEL",
    parse_choice("debug", "info", "warning", "error"),
    "info",
    "`debug`, `info`, `warning` or `error`, on stderr",
)
LOG_FORMAT = Setting("BLIKK_LOG_FORMAT", parse_choice("json", "text"), "json", "`text` for people")

SETTINGS: tuple[Setting[Any], ...] = (
    API_KEY,
    API_KEY_FILE,
    BASE_URL,
    SCA_USER_SSN,
    DEBTOR_BBAN,
    LEDGER,
    LEDGER_PASSWORD_FILE,
    MAX_AMOUNT_ISK,
    DAILY_LIMIT_ISK,
    ALLOWED_CREDITORS,
    ASK_ABOVE_ISK,
    CREATES_PER_MINUTE,
    DUPLICATE_WINDOW_MINUTES,
    READ_ONLY,
    SCA_HOSTS,
    LANGUAGE,
    WAIT_SECONDS,
    MAX_WAIT_SECONDS,
    ALWAYS_LOAD,
    FRONT_DOOR,
    LOG_LEVEL,
    LOG_FORMAT,
)

NAMES = tuple(setting.name for setting in SETTINGS)


def nearest_name(unknown: str) -> str:
    """The setting that a mistyped name most likely means; `""` if none is like it.

    One with the same words and more, as for BLIKK_MAX_AMOUNT, or with fewer, or one a few letters off.
    """
    short = unknown.removeprefix(PREFIX)
    shorts = {name.removeprefix(PREFIX): name for name in NAMES}
    words = set(short.split("_"))
    related = [known for known in shorts if words <= set(known.split("_")) or words > set(known.split("_"))]
    near = sorted(related, key=len) or difflib.get_close_matches(short, shorts, n=1, cutoff=SIMILAR_ENOUGH)
    return shorts[near[0]] if near else ""
