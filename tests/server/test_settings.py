"""The settings: every problem at once, no value repeated, nothing silently unlimited."""

from __future__ import annotations

import dataclasses
import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from blikk_mcp.settings.settings import (
    PRODUCTION_URL,
    SETTINGS,
    Settings,
    environment_of,
    raw_secrets,
    read_settings,
    take_environment,
)
from blikk_mcp.settings.surface import SURFACE_WORDS
from blikk_mcp.settings.table import Setting
from blikk_mcp.settings.values import SettingsError, profile_notice
from blikk_mcp.transports.front_door import HANDSHAKE, MODERN
from blikk_payments.channel.wire import Status
from blikk_payments.errors import ErrorCode, PaymentNotFound, PolicyDenied
from blikk_tools.catalog import ALL_TOOLS
from blikk_tools.result import HumanAction, Outcome
from tests.expecting import assert_fields

KEY = "key_with/all+of=it.-_0123456789"
IBAN = "IS140159260076545510730339"


def settings(**environ: str) -> Settings:
    return read_settings({"BLIKK_API_KEY": KEY, "XDG_STATE_HOME": "/nowhere", **environ})


def problems(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        settings(**environ)
    return [str(problem) for problem in caught.value.problems]


def test_a_key_is_all_that_is_needed() -> None:
    """Every other setting has a default, and the limits' defaults are limits."""
    got = settings()
    assert (got.base_url, got.environment) == ("https://api.blikk.tech/paymentchannel", "production")
    assert_fields(got, max_amount_isk=100_000, daily_limit_isk=500_000, creates_per_minute=10)
    assert_fields(got, wait_seconds=25, max_wait_seconds=45, read_only=False, language="en")
    assert isinstance(got.ledger, Path)
    assert got.ledger.parent == Path("/nowhere/blikk-mcp")


def test_every_problem_is_told_at_once() -> None:
    """Nobody should correct settings one start at a time."""
    told = problems(BLIKK_API_KEY="", BLIKK_READ_ONLY="maybe", BLIKK_MAX_AMOUNT_ISK="1.000", BLIKK_BASE_URL="ftp://x")
    names = {problem.partition(":")[0] for problem in told}
    assert names == {"BLIKK_API_KEY", "BLIKK_READ_ONLY", "BLIKK_MAX_AMOUNT_ISK", "BLIKK_BASE_URL"}


def test_an_unknown_name_is_an_error_that_suggests_the_near_one() -> None:
    """A misspelt limit must not be a limit that is not there."""
    assert problems(BLIKK_MAX_AMOUNT="5") == [
        "BLIKK_MAX_AMOUNT: there is no such setting: did you mean BLIKK_MAX_AMOUNT_ISK?"
    ]


@pytest.mark.parametrize(
    "key",
    [
        "${BLIKK_API_KEY}",
        "$BLIKK_API_KEY",
        "{env:BLIKK_API_KEY}",
        "${env:BLIKK_API_KEY}",
        "${input:blikk}",
        "$env:BLIKK_API_KEY",
        "{file:~/.blikk-key}",
        "<your key>",
    ],
)
def test_a_placeholder_is_not_a_key(key: str) -> None:
    """Clients hand on a variable they could not fill in as its literal text."""
    (problem,) = problems(BLIKK_API_KEY=key)
    assert "placeholder" in problem


@pytest.mark.parametrize(
    "key", ["two words", "line\nbreak", "tail\n", " lead", "tab\t", "caf\u00e9-key", "nul\x01key", "k" * 600, "short"]
)
def test_a_key_that_cannot_be_a_header_is_refused_and_not_repeated(key: str) -> None:
    """Seen leaking: such a key ends up in the HTTP library's error text."""
    (problem,) = problems(BLIKK_API_KEY=key)
    assert key == "short" or key.strip() not in problem


@pytest.mark.parametrize("around", [" {}", "{} ", "{}\n", "{}\r\n", "\t{}", "{}\xa0"])
def test_white_space_around_a_key_is_not_taken_off(around: str) -> None:
    """A key with a space at its end is another key; whoever set it has to see it."""
    (problem,) = problems(BLIKK_API_KEY=around.format(KEY))
    assert ("non-ASCII" if "\xa0" in around else "spaces, line breaks") in problem


def test_a_key_file_may_end_in_a_line_break(tmp_path: Path) -> None:
    """Editors and `echo` write one."""
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    file.chmod(0o600)
    got = settings(BLIKK_API_KEY="", BLIKK_API_KEY_FILE=str(file))
    assert got.api_key.get_secret_value() == KEY
    assert got.notices == ()


def test_a_key_file_that_others_can_read_is_noticed(tmp_path: Path) -> None:
    """A notice and no refusal, since container platforms mount secrets like that."""
    file = tmp_path / "key"
    file.write_text(KEY)
    file.chmod(0o644)
    assert len(settings(BLIKK_API_KEY="", BLIKK_API_KEY_FILE=str(file)).notices) == 1


@pytest.mark.parametrize("content", [b"", b"two\nlines\n", b"\xff\xfe", b"a b"])
def test_a_key_file_without_a_key_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file holds the key and nothing else."""
    file = tmp_path / "key"
    file.write_bytes(content)
    (problem,) = problems(BLIKK_API_KEY="", BLIKK_API_KEY_FILE=str(file))
    assert problem.startswith("BLIKK_API_KEY_FILE: ")


@pytest.mark.parametrize("around", [" {}", "{} ", "{} \n", "\t{}\n", "{}\n\n", "\n{}"])
def test_a_key_file_with_more_than_a_key_and_a_line_break_is_refused(tmp_path: Path, around: str) -> None:
    """A key with a space at its end is another key: Blikk would refuse it, and nobody would see why."""
    file = tmp_path / "key"
    file.write_text(around.format("canary-key-0123456789"))
    (problem,) = problems(BLIKK_API_KEY="", BLIKK_API_KEY_FILE=str(file))
    assert "spaces, line breaks" in problem


def test_a_key_and_a_key_file_are_one_too_many(tmp_path: Path) -> None:
    """Which of two keys counts must not be a guess."""
    assert "not both" in problems(BLIKK_API_KEY_FILE=str(tmp_path / "key"))[0]


def test_the_key_leaves_the_environment() -> None:
    """No child process inherits it."""
    live = {"BLIKK_API_KEY": KEY, "XDG_STATE_HOME": "/nowhere"}
    environ = take_environment(live)
    assert live == {"XDG_STATE_HOME": "/nowhere"}
    assert read_settings(environ).api_key.get_secret_value() == KEY


def test_settings_do_not_show_the_key() -> None:
    """Seen leaking: reprs and vars of what holds the key."""
    assert KEY not in repr(settings())
    assert KEY not in str(settings().api_key)


@pytest.mark.parametrize(
    ("url", "environment"),
    [
        ("https://api.blikk.tech/paymentchannel", "production"),
        ("https://api.blikk.tech:443/paymentchannel/", "production"),
        ("https://API.blikk.tech/paymentchannel", "production"),
        ("https://stage.blikk.tech/paymentchannel", "stage"),
        ("https://api.blikk.tech.example.com/paymentchannel", "custom"),
        ("https://example.com/api.blikk.tech", "custom"),
        ("https://api.blikk.tech:8443/paymentchannel", "custom"),
        ("http://127.0.0.1:8080/paymentchannel", "custom"),
        ("http://localhost/x", "custom"),
        ("http://[::1]:1/x", "custom"),
    ],
)
def test_only_blikks_two_hosts_have_a_name(url: str, environment: str) -> None:
    """Others' defects: a host checked with `contains`, a mode that fell back silently."""
    assert settings(BLIKK_BASE_URL=url).environment == environment


@pytest.mark.parametrize(
    "url",
    [
        "http://api.blikk.tech/paymentchannel",
        "http://127.0.0.1.example.com/",
        "http://localhost.example.com",
        "https://user:password@api.blikk.tech/",
        "https://api.blikk.tech/?x=1",
        "https://api.blikk.tech/#x",
        "https://api.blikk.tech\\@evil.example/",
        "https://",
        "api.blikk.tech",
        "https://a b/",
        "https://api.blikk.tech:99999/",
    ],
)
def test_a_base_url_that_is_not_plain_https_is_refused(url: str) -> None:
    """Blikk's page: HTTPS only; our rule: http on loopback only."""
    assert problems(BLIKK_BASE_URL=url)[0].startswith("BLIKK_BASE_URL: ")


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("1", True), ("YES", True), ("false", False), ("0", False), ("no", False)]
)
def test_booleans_are_words_or_digits(text: str, value: bool) -> None:
    """`true`/`false`, `1`/`0`, `yes`/`no`."""
    assert settings(BLIKK_READ_ONLY=text).read_only is value


@pytest.mark.parametrize("text", ["1.000", "1,000", "1e3", "-1", "ISK 5", "0x10", "٣", "5 000"])
def test_an_amount_is_digits_only(text: str) -> None:
    """What one could read as decimals or as thousands is not read at all."""
    assert problems(BLIKK_DAILY_LIMIT_ISK=text)[0].startswith("BLIKK_DAILY_LIMIT_ISK: ")


def test_creditors_are_accounts_or_kennitalas() -> None:
    """An IBAN and the same account's BBAN are one entry."""
    by_iban, by_bban, by_kennitala = settings(
        BLIKK_ALLOWED_CREDITORS=f"{IBAN}, 0159-26-007654, 551073-0339"
    ).allowed_creditors
    assert by_iban == by_bban
    assert by_kennitala.kennitala == "5510730339"


@pytest.mark.parametrize("text", ["551073\u20130339", "551073\xa00339", "551073\u22120339", "55 10 73 \u2013 03 39"])
def test_a_listed_kennitala_is_read_as_an_argument_is(text: str) -> None:
    """Numbers are pasted from web pages: spaces and dashes of any kind do not count."""
    (creditor,) = settings(BLIKK_ALLOWED_CREDITORS=text).allowed_creditors
    assert creditor.kennitala == "5510730339"


def test_the_numbers_that_go_into_every_payment_are_read_as_arguments_are() -> None:
    """Blikk gets digits, whatever somebody pasted."""
    read = settings(BLIKK_SCA_USER_SSN="010130-2989", BLIKK_DEBTOR_BBAN="0159\u201326 007654")
    assert (read.sca_user_ssn, read.debtor_bban) == ("0101302989", "015926007654")


@pytest.mark.parametrize(
    ("name", "text"),
    [("BLIKK_SCA_USER_SSN", "010130-298"), ("BLIKK_DEBTOR_BBAN", "0159-26-00765"), ("BLIKK_DEBTOR_BBAN", IBAN)],
)
def test_a_number_that_every_payment_would_be_refused_for_is_a_wrong_setting(name: str, text: str) -> None:
    """Told at the start, without the number, and not by Blikk at the first payment."""
    (problem,) = problems(**{name: text})
    assert problem.startswith(f"{name}: ")
    assert text not in problem


@pytest.mark.parametrize("text", [",", "IS00", "12345", f"{IBAN},x"])
def test_a_list_of_creditors_with_a_mistake_allows_nobody(text: str) -> None:
    """A list that cannot be read must not become no list."""
    (problem,) = problems(BLIKK_ALLOWED_CREDITORS=text)
    assert text not in problem or text == ","


@pytest.mark.parametrize("text", ["https://bank.is", "bank", "bank.is/x", "*.bank.is", ",", "bank.is:443"])
def test_a_list_of_hosts_holds_host_names_only(text: str) -> None:
    """Compared by parsed equality, so nothing but names can be meant."""
    assert problems(BLIKK_SCA_HOSTS=text)[0].startswith("BLIKK_SCA_HOSTS: ")


def test_two_base_urls_have_two_ledgers() -> None:
    """Sandbox and production never mix."""
    assert settings().ledger != settings(BLIKK_BASE_URL="https://stage.blikk.tech/paymentchannel").ledger


def test_every_setting_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The README's table and the check for unknown names are made from the table: none of it is there for show."""
    read: set[str] = set()

    class Watched(dict[str, str]):
        def get(self, key: str, default: Any = None) -> Any:
            read.add(key)
            return super().get(key, default)

    read_settings(Watched({"BLIKK_API_KEY": KEY, "XDG_STATE_HOME": "/nowhere"}))
    assert {name for name in read if name.startswith("BLIKK_")} == {setting.name for setting in SETTINGS}


def test_a_default_is_what_saying_it_gives() -> None:
    """What the README calls the default can be set, and means the same."""
    said = {
        "BLIKK_BASE_URL": PRODUCTION_URL,
        "BLIKK_MAX_AMOUNT_ISK": "100000",
        "BLIKK_DAILY_LIMIT_ISK": "500000",
        "BLIKK_ALLOWED_CREDITORS": "any",
        "BLIKK_ASK_ABOVE_ISK": "never",
        "BLIKK_CREATES_PER_MINUTE": "10",
        "BLIKK_DUPLICATE_WINDOW_MINUTES": "1440",
        "BLIKK_READ_ONLY": "false",
        "BLIKK_SCA_HOSTS": "Any",
        "BLIKK_LANGUAGE": "en",
        "BLIKK_WAIT_SECONDS": "25",
        "BLIKK_MAX_WAIT_SECONDS": "45",
        "BLIKK_ALWAYS_LOAD": "true",
        "BLIKK_FRONT_DOOR": "on",
        "BLIKK_LOG_LEVEL": "info",
        "BLIKK_LOG_FORMAT": "json",
    }
    explicit = settings(**said)
    default = settings()
    differing = [
        field.name
        for field in dataclasses.fields(Settings)
        if field.name != "api_key" and getattr(explicit, field.name) != getattr(default, field.name)
    ]
    assert differing == []


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
@pytest.mark.parametrize(
    "placeholder", ["${SOMETHING}", "$SOMETHING", "{env:SOMETHING}", "%SOMETHING%", "${input:some}"]
)
def test_a_placeholder_is_a_wrong_setting_wherever_it_stands(setting: Setting[Any], placeholder: str) -> None:
    """Clients hand on a variable they could not fill in as its literal text; the setting's name is what helps."""
    assert problems(**{setting.name: placeholder}) == [
        f"{setting.name}: is still a placeholder: the client did not fill it in. Set the variable where the client starts"
    ]


@pytest.mark.parametrize("path", ["$HOME/l.db", "${env:HOME}/l.db", "/srv/${USER}/l.db", "%APPDATA%/l.db"])
@pytest.mark.parametrize("name", ["BLIKK_LEDGER", "BLIKK_API_KEY_FILE"])
def test_a_placeholder_within_a_path_is_a_wrong_setting(name: str, path: str) -> None:
    """Seen: a ledger in a folder called `$HOME` below whatever folder the client starts in."""
    given = {"BLIKK_API_KEY": ""} if name == "BLIKK_API_KEY_FILE" else {}
    (problem,) = problems(**given, **{name: path})
    assert problem.startswith(f"{name}: is still a placeholder")


@pytest.mark.parametrize(
    "text",
    ["ledger.sqlite", "./state/l.db", "../l.db", ":memory:", "file:l.db", "file:///l.db", "sqlite:///l.db"],
)
def test_a_ledger_that_depends_on_the_working_directory_is_a_wrong_setting(text: str) -> None:
    """Seen: the same key paid once per folder that a client was started in."""
    assert problems(BLIKK_LEDGER=text) == [
        "BLIKK_LEDGER: must be an absolute path, or one from `~`: every process has to find the same ledger"
    ]


@pytest.mark.parametrize("text", ["/", "//", "/.", "/..", "/nowhere/.."])
def test_a_ledger_that_names_no_file_is_a_wrong_setting(text: str) -> None:
    """Seen: the first call ended in the traceback of a path that has no name."""
    assert problems(BLIKK_LEDGER=text) == ["BLIKK_LEDGER: must name a file"]


@pytest.mark.parametrize("missing", ["psycopg", "psycopg_pool"])
@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "POSTGRESQL"])
def test_a_postgres_ledger_names_what_has_to_be_installed(
    scheme: str, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shared ledger needs a driver that the default installation does not have."""
    monkeypatch.setattr("blikk_payments.ledger.location.DRIVER", (f"{missing}_that_is_not_there",))
    (problem,) = problems(BLIKK_LEDGER=f"{scheme}://someone@database/ledger")
    assert problem.startswith("BLIKK_LEDGER: needs PostgreSQL's driver: run `pip install 'blikk-mcp[postgres]'`")


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "POSTGRESQL"])
@pytest.mark.parametrize(
    "place",
    [
        "me@database.example/l",
        "me@127.0.0.1,10.0.0.7/l",
        "localhost/l?hostaddr=10.0.0.7",
        "/l?host=/run,db",
        "[2001:db8::1]/l",
    ],
)
def test_a_ledger_on_another_machine_is_reached_encrypted_and_checked(scheme: str, place: str) -> None:
    """Whoever answers for the database decides what was paid. A weaker wish is a wrong setting, no wish is this one."""
    address = f"{scheme}://{place}"
    ledger = settings(BLIKK_LEDGER=address).ledger
    assert isinstance(ledger, str)
    assert ledger.startswith("postgresql://")
    assert "sslmode=verify-full" in ledger
    assert "sslrootcert=system" in ledger
    more = f"{address}{'&' if '?' in address else '?'}sslmode="
    for weaker in ("require", "verify-ca", "prefer", "disable", ""):
        (problem,) = problems(BLIKK_LEDGER=more + weaker)
        assert problem.startswith("BLIKK_LEDGER: must have sslmode=verify-full")
    own = settings(BLIKK_LEDGER=f"{more}verify-full&sslrootcert=/etc/ca.pem").ledger
    assert "sslrootcert=%2Fetc%2Fca.pem" in str(own)


@pytest.mark.parametrize("place", ["/l", "localhost/l", "127.0.0.2:5433/l", "[::1]:5432/l", "/l?host=/run/postgresql"])
def test_a_ledger_on_this_machine_needs_no_encryption(place: str) -> None:
    """A socket, or loopback; and nothing of libpq's environment can send it elsewhere."""
    ledger = str(settings(BLIKK_LEDGER=f"postgresql://{place}").ledger)
    assert "sslmode" not in ledger
    assert "hostaddr=" in ledger
    assert ("host=" in ledger.replace("hostaddr=", "")) is place.startswith("/")


@pytest.mark.parametrize(
    "rest",
    [
        "db.example,x@localhost/l?",
        "localhost?user=me@db.example",
        "localhost/l?service=elsewhere",
        "localhost/l?host=a&host=b",
        "localhost/l#x",
        "local host/l",
        "[::1/l",
    ],
)
def test_an_address_that_two_readers_take_differently_is_a_wrong_setting(rest: str) -> None:
    """The driver's idea of the host has to be the one that was checked."""
    (problem,) = problems(BLIKK_LEDGER=f"postgresql://me@{rest}")
    assert problem.startswith("BLIKK_LEDGER: ")
    assert "example" not in problem
    assert "elsewhere" not in problem


@pytest.mark.parametrize("password", ["%zzsecret", "secret%", "sec%ret", "secret%2", "sec%00ret", "s%FEcret"])
def test_a_percent_sign_that_encodes_nothing_is_a_wrong_setting_that_is_not_repeated(password: str) -> None:
    """The driver's own complaint holds the password, and it ended every command in a traceback."""
    for address in (f"postgresql://u:{password}@127.0.0.1/db", f"postgresql://u@127.0.0.1/db?password={password}"):
        (problem,) = problems(BLIKK_LEDGER=address)
        assert problem.startswith("BLIKK_LEDGER: has a `%` that encodes no character")
        assert password not in problem


def test_the_password_of_a_ledger_comes_from_its_file_or_from_the_address(tmp_path: Path) -> None:
    """It is a secret like the key; a file may end in a line break."""
    password = "s3cret-of-the-database"
    file = tmp_path / "password"
    file.write_text(f"{password}\n", encoding="utf-8")
    address = "postgresql://me@localhost/l"

    assert settings(BLIKK_LEDGER=address, BLIKK_LEDGER_PASSWORD_FILE=str(file)).secrets[1] == password
    assert settings(BLIKK_LEDGER=f"postgresql://me:{password}@localhost/l").secrets[1] == password
    assert settings(BLIKK_LEDGER=f"{address}?password={password}").secrets[1] == password
    assert settings(BLIKK_LEDGER=address).secrets[1] == ""
    assert settings(BLIKK_LEDGER_PASSWORD_FILE=str(file)).secrets[1] == ""
    (problem,) = problems(BLIKK_LEDGER=f"postgresql://me:{password}@localhost/l", BLIKK_LEDGER_PASSWORD_FILE=str(file))
    assert problem.startswith("BLIKK_LEDGER_PASSWORD_FILE: the address in BLIKK_LEDGER holds a password, too")
    for wrong in ("", "two\nlines", "a nul\0"):
        file.write_text(wrong, encoding="utf-8")
        (problem,) = problems(BLIKK_LEDGER=address, BLIKK_LEDGER_PASSWORD_FILE=str(file))
        assert problem == "BLIKK_LEDGER_PASSWORD_FILE: the password's file must hold one line, the password"
    (problem,) = problems(BLIKK_LEDGER=address, BLIKK_LEDGER_PASSWORD_FILE=str(tmp_path / "none"))
    assert problem.startswith("BLIKK_LEDGER_PASSWORD_FILE: the password's file is not there")


def test_the_password_in_an_address_is_taken_for_a_secret_before_the_settings_are_read() -> None:
    """A wrong setting's message is redacted, too."""
    environ = {"BLIKK_LEDGER": "postgres://me:pass%20word-1@h/l?service=x"}
    assert raw_secrets(environ) == ("", "pass word-1")


def test_an_unknown_home_is_a_wrong_setting() -> None:
    """`~nobody-of-that-name` is nobody's home."""
    (problem,) = problems(BLIKK_LEDGER="~no-such-user-here/l.db")
    assert problem.startswith("BLIKK_LEDGER: has no such home folder")


@pytest.mark.parametrize("home", [None, "relative/home"])
@pytest.mark.parametrize("text", ["", "~/l.db"])
def test_no_home_folder_at_all_is_a_wrong_setting(text: str, home: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A uid without a passwd entry and no HOME, as in many a container; and a HOME that depends on where one is."""
    monkeypatch.delenv("HOME", raising=False)

    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", nobody)
    if home is not None:
        monkeypatch.setenv("HOME", home)
    (problem,) = problems(BLIKK_LEDGER=text, XDG_STATE_HOME="")
    assert problem.startswith("BLIKK_LEDGER: has")
    assert "absolute path" in problem


def test_a_base_url_with_a_percent_sign_in_it_is_no_placeholder() -> None:
    """`%C3%B6` is how an address writes a letter: refused as a base URL, for what it is."""
    assert "placeholder" not in problems(BLIKK_BASE_URL="https://example.com/%C3%B6")[0]


@pytest.mark.parametrize("name", ["BLIKK_ALLOWED_CREDITORS", "BLIKK_SCA_HOSTS", "BLIKK_BASE_URL"])
@pytest.mark.parametrize("nothing", ["", "  "])
def test_a_variable_that_came_to_nothing_does_not_mean_everybody(name: str, nothing: str) -> None:
    """An empty variable where a list was meant: `any` says it, nothing does not."""
    (problem,) = problems(**{name: nothing})
    assert problem.startswith(f"{name}: is empty")


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (f'"{KEY}"', "quotes"),
        (f"'{KEY}'", "quotes"),
        (f"BLIKK_API_KEY={KEY}", "NAME="),
        (f"api_key={KEY}", "NAME="),
        ("/home/you/.blikk-key", "path"),
        ("/run/secrets/blikk", "path"),
        ("/Users/you/key.txt", "path"),
        ("~/.blikk-key", "path"),
        ("./secrets/key", "path"),
        ("C:\\Users\\you\\key.txt", "path"),
        ("\\\\server\\share\\key", "path"),
        ("file:///home/you/key", "path"),
        ("$HOME/.blikk-key", "path"),
        ("%USERPROFILE%\\blikk-key", "path"),
        ("secrets/blikk.key", "path"),
        ("blikk-api-key.txt", "path"),
        ("create_payment", "answers"),
        ("idempotency_key", "answers"),
        ("BLIKK_BASE_URL", "answers"),
        ("needs_human", "answers"),
        ("SCA_REQUIRED", "answers"),
        ("human_instr", "answers"),
        ("production", "answers"),
    ],
)
def test_what_is_no_key_is_told_as_what_it_is(key: str, said: str, tmp_path: Path) -> None:
    """Mistakes that people make: each a wrong setting that says so, from a file too, and none is repeated."""
    file = tmp_path / "key"
    file.write_text(key)
    (problem,) = problems(BLIKK_API_KEY=key)
    (in_file,) = problems(BLIKK_API_KEY="", BLIKK_API_KEY_FILE=str(file))
    assert said in problem
    assert in_file == problem.replace("BLIKK_API_KEY:", "BLIKK_API_KEY_FILE:")
    assert key not in problem.replace("BLIKK_API_KEY_FILE", "")


@pytest.mark.parametrize(
    "key",
    [
        "/9j4AAQSkZJRgABAQAAAQABAAD",
        "/w7Hq/2kd+ZZ0aQ9hJ3k1w==",
        "dGhpcyBpcyBhIGtleQ==",
        "blikk_live_0a1b2c3d4e5f",
        "it's-a-key's-key",
        "pa$$word-Q-0123",
        "a.b~c=d-0123",
        "$HOM-ERUN/0123",
        "live.txtual-0123",
    ],
)
def test_a_key_may_look_odd(key: str) -> None:
    """Base64 begins with a slash now and then and ends in `=`: a rule against mistakes must not refuse real keys."""
    assert settings(BLIKK_API_KEY=key).api_key.get_secret_value() == key


def test_the_words_of_the_surface_are_all_known() -> None:
    """A key like one of them would be redacted out of every answer: the list has to have each that is there."""
    words = {setting.name for setting in SETTINGS} | set(Status) | set(Outcome) | set(HumanAction)
    words |= {"blikk-mcp", "production", "stage", "sandbox", "custom", PaymentNotFound.code, PolicyDenied.code}
    for tool in ALL_TOOLS:
        words.add(tool.name)
        for schema in (tool.input_schema, tool.output_schema):
            words |= set(schema["properties"])
            words |= {word for field in schema["properties"].values() for word in field.get("enum", ())}
    words |= set(ErrorCode)
    words |= {"structuredContent", "resultType", "protocolVersion", "serverInfo", *HANDSHAKE, MODERN}
    assert {word for word in words if word.casefold() not in SURFACE_WORDS} == set()


def test_paths_take_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell is not there to expand it: clients hand it on as it is written."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key").write_text(f"{KEY}\n")
    got = settings(BLIKK_API_KEY="", BLIKK_API_KEY_FILE="~/key", BLIKK_LEDGER="~/ledger.sqlite3")
    assert got.api_key.get_secret_value() == KEY
    assert got.ledger == tmp_path / "ledger.sqlite3"
    shared = settings(BLIKK_LEDGER="postgresql://me@localhost/l", BLIKK_LEDGER_PASSWORD_FILE="~/key")
    assert shared.ledger_password.get_secret_value() == KEY


def test_a_placeholder_beside_a_key_file_is_told_by_its_own_name(tmp_path: Path) -> None:
    """The file is right: whoever reads the message must not go and look into it."""
    file = tmp_path / "key"
    file.write_text(KEY)
    file.chmod(0o600)
    (problem,) = problems(BLIKK_API_KEY="${BLIKK_API_KEY}", BLIKK_API_KEY_FILE=str(file))
    assert problem.startswith("BLIKK_API_KEY: is still a placeholder")


def test_the_home_of_nobody_is_a_wrong_setting() -> None:
    """No traceback, and no key that is looked for elsewhere."""
    (problem,) = problems(BLIKK_API_KEY="", BLIKK_API_KEY_FILE="~no-such-user-here/key")
    assert problem.startswith("BLIKK_API_KEY_FILE: names the home folder of nobody")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("HTTPS://API.BLIKK.TECH/paymentchannel/", "https://api.blikk.tech/paymentchannel"),
        ("HTTPS://STAGE.BLIKK.TECH/PAYMENTCHANNEL", "https://stage.blikk.tech/paymentchannel"),
        ("Http://LocalHost:8080/Path", "http://localhost:8080/Path"),
        ("https://[2001:DB8::1]:8443/x", "https://[2001:db8::1]:8443/x"),
    ],
)
def test_a_base_url_may_be_in_capitals(text: str, meant: str) -> None:
    """RFC 3986: scheme and host have no case; a path has, unless the whole address was shouted."""
    assert settings(BLIKK_BASE_URL=text).base_url == meant


@pytest.mark.parametrize(
    ("base_url", "environment"),
    [
        ("https://stage.blikk.tech/paymentchannel", "stage"),
        ("", "production"),
        ("http://127.0.0.1:9/x", "custom"),
        ("http://api.blikk.tech", "custom"),
    ],
)
def test_the_environment_is_what_the_base_url_says_whatever_else_is_wrong(base_url: str, environment: str) -> None:
    """A refusal that names the wrong environment sends people looking in the wrong place."""
    given = {"BLIKK_BASE_URL": base_url} if base_url else {}
    with pytest.raises(SettingsError) as caught:
        settings(BLIKK_READ_ONLY="maybe", BLIKK_API_KEY="", **given)
    assert caught.value.environment == environment


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("BLIKK_MCP_CMD", ""),
        ("BLIKK_TOKEN", ""),
        ("BLIKK_HOME", ""),
        ("BLIKK_VERSION", ""),
        ("BLIKK_KEY", "BLIKK_API_KEY"),
        ("BLIKK_APIKEY", "BLIKK_API_KEY"),
        ("BLIKK_URL", "BLIKK_BASE_URL"),
        ("BLIKK_READONLY", "BLIKK_READ_ONLY"),
        ("BLIKK_DAILY_LIMIT", "BLIKK_DAILY_LIMIT_ISK"),
        ("BLIKK_MAX_AMMOUNT_ISK", "BLIKK_MAX_AMOUNT_ISK"),
        ("BLIKK_ALLOWED_CREDITOR", "BLIKK_ALLOWED_CREDITORS"),
        ("BLIKK_LEDGER_PATH", "BLIKK_LEDGER"),
    ],
)
def test_only_a_setting_that_is_alike_is_suggested(name: str, suggested: str) -> None:
    """Seen: `BLIKK_MCP_CMD: did you mean BLIKK_API_KEY?`"""
    (problem,) = problems(**{name: "x"})
    assert problem == f"{name}: there is no such setting" + (f": did you mean {suggested}?" if suggested else "")


def test_a_name_is_shown_without_what_a_terminal_would_act_on() -> None:
    """A variable's name can hold anything but `=`."""
    assert problems(**{"BLIKK_\x1b[31m": "x"}) == ["BLIKK_??31m: there is no such setting"]


def test_a_start_reads_its_settings_without_pydantic() -> None:
    """The handshake is answered before anything slow is imported."""
    program = "import sys, blikk_mcp.settings.settings; sys.exit(bool({'pydantic', 'httpx', 'mcp'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize("length", [513, 600, 5000])
def test_a_key_file_that_is_too_long_is_not_cut(tmp_path: Path, length: int) -> None:
    """Half a key is another key."""
    file = tmp_path / "key"
    file.write_text("k" * length)
    assert problems(BLIKK_API_KEY="", BLIKK_API_KEY_FILE=str(file)) == [
        "BLIKK_API_KEY_FILE: the key is longer than 512 characters"
    ]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620, 0o602])
def test_a_key_file_of_a_group_or_of_all_is_noticed(tmp_path: Path, mode: int) -> None:
    """Readable or writable, by the group or by all."""
    file = tmp_path / "key"
    file.write_text(KEY)
    file.chmod(mode)
    assert len(settings(BLIKK_API_KEY="", BLIKK_API_KEY_FILE=str(file)).notices) == 1


@pytest.mark.parametrize(("text", "value"), [("on", True), ("OFF", False), ("true", True), ("0", False)])
def test_the_front_door_is_switched_on_and_off(text: str, value: bool) -> None:
    """A switch takes a boolean's words too."""
    assert settings(BLIKK_FRONT_DOOR=text, BLIKK_ALWAYS_LOAD="no" if value else "yes").front_door is value


def test_environment_of_ignores_what_follows_the_host() -> None:
    """Only scheme, host and port make an environment."""
    assert environment_of("https://stage.blikk.tech") == "stage"


@pytest.mark.parametrize("kind", ["a pipe", "/dev/zero", "/dev/stdin", "/dev/tty", "a folder", "missing"])
def test_a_key_file_that_is_no_file_is_a_wrong_setting_and_never_waited_for(tmp_path: Path, kind: str) -> None:
    """A start that waits for somebody to write into a pipe never answers `initialize`."""
    reading, writing = os.pipe()
    file = tmp_path / "key"
    match kind:
        case "a pipe":
            os.mkfifo(file)
        case "/dev/stdin":
            file = Path(f"/dev/fd/{reading}")
        case "a folder":
            file.mkdir()
        case "missing":
            pass
        case _:
            file = Path(kind)
    try:
        (problem,) = problems(BLIKK_API_KEY="", BLIKK_API_KEY_FILE=str(file))
    finally:
        os.close(reading)
        os.close(writing)
    assert problem.startswith("BLIKK_API_KEY_FILE: the key file")


@pytest.mark.parametrize(
    "key", ["\\" * 12, "\\u0061" * 4, "\\x41\\x42\\x43", "%41%42%43", "&amp;&amp;", "\\n\\n\\n\\n"]
)
def test_a_key_made_of_escapes_is_a_wrong_setting(key: str) -> None:
    """Somebody pasted how a key is written, and not the key."""
    (problem,) = problems(BLIKK_API_KEY=key)
    assert problem == "BLIKK_API_KEY: is made of escapes: write the key's own characters"


def test_the_bounds_of_values_are_in_and_one_more_is_out() -> None:
    """Of a key, a number and a host's name: the longest that is taken, and the shortest key."""
    drawn = "Zq7vT9rkW4xbLe2mY5hJ8uPd3gKn6f" * 20
    for key in (drawn[:8], drawn[:512]):
        assert settings(BLIKK_API_KEY=key).api_key.get_secret_value() == key
    assert settings(BLIKK_DAILY_LIMIT_ISK="9" * 12).daily_limit_isk == 10**12 - 1
    host = f"{'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 9}"
    assert len(host) == 253
    assert settings(BLIKK_SCA_HOSTS=host).sca_hosts == (host,)
    for name, value in (
        ("BLIKK_API_KEY", drawn[:7]),
        ("BLIKK_API_KEY", drawn[:513]),
        ("BLIKK_DAILY_LIMIT_ISK", "1" + "0" * 12),
        ("BLIKK_SCA_HOSTS", f"{host}e"),
    ):
        (problem,) = problems(**{name: value})
        assert problem.startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("BLIKK_MAX_AMOUNT_ISK", "1.000", "must be whole krónur, digits only"),
        ("BLIKK_ASK_ABOVE_ISK", "1,000", "must be whole krónur, digits only"),
        ("BLIKK_WAIT_SECONDS", "2.5", "must be a whole number, digits only"),
        ("BLIKK_READ_ONLY", "maybe", "must be true or false"),
        ("BLIKK_FRONT_DOOR", "ajar", "must be true or false"),
        ("BLIKK_LANGUAGE", "de", "must be one of en, is"),
        ("BLIKK_LOG_LEVEL", "loud", "must be one of debug, info, warning, error"),
        ("BLIKK_LOG_FORMAT", "xml", "must be one of json, text"),
        ("BLIKK_ALLOWED_CREDITORS", ",", "lists nobody: say `any` to allow any creditor"),
        (
            "BLIKK_ALLOWED_CREDITORS",
            f"{IBAN},12345",
            "entry 2 is no IBAN, no 12-digit account and no 10-digit kennitala",
        ),
        (
            "BLIKK_SCA_HOSTS",
            "https://bank.is",
            "must be host names like bank.example.is, comma-separated, with no scheme and no path",
        ),
    ],
)
def test_a_wrong_value_is_told_by_the_rule_it_breaks(name: str, text: str, said: str) -> None:
    """Whoever reads it can correct it without another page; and the value itself is not repeated."""
    assert problems(**{name: text}) == [f"{name}: {said}"]


def test_on_windows_a_key_file_and_a_ledger_outside_of_the_own_folder_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There nobody checks who may read them: the operator has to hear of each."""
    monkeypatch.setattr(
        "blikk_mcp.settings.settings.profile_notice", functools.partial(profile_notice, platform="win32")
    )
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "own"))
    monkeypatch.setenv("HOME", str(tmp_path / "own"))
    key_file = tmp_path / "key"
    key_file.write_text(KEY)
    key_file.chmod(0o600)
    given = {"BLIKK_API_KEY": "", "BLIKK_API_KEY_FILE": str(key_file), "BLIKK_LEDGER": str(tmp_path / "l.sqlite3")}
    told = [notice.partition(":")[0] for notice in settings(**given).notices]
    assert told == ["BLIKK_API_KEY_FILE", "BLIKK_LEDGER"]


def test_a_secrets_file_with_other_bytes_than_text_is_told_as_that(tmp_path: Path) -> None:
    """Python's own complaint names the byte, and where it stands in the secret."""
    file = tmp_path / "secret"
    file.write_bytes(b"secret-\xff-0123456789")
    assert problems(BLIKK_API_KEY="", BLIKK_API_KEY_FILE=str(file)) == [
        "BLIKK_API_KEY_FILE: the key has non-ASCII characters"
    ]
    shared = {"BLIKK_LEDGER": "postgresql://me@localhost/l", "BLIKK_LEDGER_PASSWORD_FILE": str(file)}
    assert problems(**shared) == ["BLIKK_LEDGER_PASSWORD_FILE: the password is no text"]


def test_who_needs_no_key_needs_every_other_setting_to_be_right_all_the_same() -> None:
    """`ledger` looks without a key, and in the wrong ledger if it took a wrong setting for none."""
    environ = {"XDG_STATE_HOME": "/nowhere"}
    assert read_settings(environ, need_key=False).api_key.get_secret_value() == ""
    with pytest.raises(SettingsError) as caught:
        read_settings({**environ, "BLIKK_READ_ONLY": "maybe", "BLIKK_LEGER": "/x"}, need_key=False)
    assert [problem.name for problem in caught.value.problems] == ["BLIKK_LEGER", "BLIKK_READ_ONLY"]
