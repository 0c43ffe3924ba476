"""The settings: every problem at once, no value repeated, nothing silently unlimited."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blikk_mcp.settings.settings import PRODUCTION_URL, SETTINGS, Settings, environment_of, read_settings
from blikk_mcp.settings.values import SettingsError

KEY = "key_with/all+of=it.-_0123456789"
IBAN = "IS140159260076545510730339"


def settings(**environ: str) -> Settings:
    return read_settings({"BLIKK_API_KEY": KEY, "XDG_STATE_HOME": "/nowhere", **environ})


def problems(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        settings(**environ)
    return [str(problem) for problem in caught.value.problems]


def test_a_key_is_all_that_is_needed() -> None:
    """Ours: every other setting has a default, and the limits' defaults are limits."""
    got = settings()
    assert (got.base_url, got.environment) == (PRODUCTION_URL, "production")
    assert (got.max_amount_isk, got.daily_limit_isk, got.creates_per_minute) == (100_000, 500_000, 10)
    assert (got.wait_seconds, got.max_wait_seconds, got.read_only, got.language) == (25, 45, False, "en")
    assert got.ledger.parent == Path("/nowhere/blikk-mcp")


def test_every_problem_is_told_at_once() -> None:
    """Ours: nobody should correct settings one start at a time."""
    told = problems(BLIKK_API_KEY="", BLIKK_READ_ONLY="maybe", BLIKK_MAX_AMOUNT_ISK="1.000", BLIKK_BASE_URL="ftp://x")
    names = {problem.partition(":")[0] for problem in told}
    assert names == {"BLIKK_API_KEY", "BLIKK_READ_ONLY", "BLIKK_MAX_AMOUNT_ISK", "BLIKK_BASE_URL"}


def test_an_unknown_name_is_an_error_that_suggests_the_near_one() -> None:
    """Ours: a misspelt limit must not be a limit that is not there."""
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


def test_a_key_file_may_end_in_a_line_break(tmp_path: Path) -> None:
    """Ours: editors and `echo` write one."""
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    file.chmod(0o600)
    got = settings(BLIKK_API_KEY="", BLIKK_API_KEY_FILE=str(file))
    assert got.api_key.get_secret_value() == KEY
    assert got.notices == ()


def test_a_key_file_that_others_can_read_is_noticed(tmp_path: Path) -> None:
    """Ours: a notice and no refusal, since container platforms mount secrets like that."""
    file = tmp_path / "key"
    file.write_text(KEY)
    file.chmod(0o644)
    assert len(settings(BLIKK_API_KEY="", BLIKK_API_KEY_FILE=str(file)).notices) == 1


@pytest.mark.parametrize("content", [b"", b"two\nlines\n", b"\xff\xfe", b"a b"])
def test_a_key_file_without_a_key_is_refused(tmp_path: Path, content: bytes) -> None:
    """Ours: a file holds the key and nothing else."""
    file = tmp_path / "key"
    file.write_bytes(content)
    (problem,) = problems(BLIKK_API_KEY="", BLIKK_API_KEY_FILE=str(file))
    assert problem.startswith("BLIKK_API_KEY_FILE: ")


def test_a_key_and_a_key_file_are_one_too_many(tmp_path: Path) -> None:
    """Ours: which of two keys counts must not be a guess."""
    assert "not both" in problems(BLIKK_API_KEY_FILE=str(tmp_path / "key"))[0]


def test_the_key_leaves_the_environment() -> None:
    """Ours: no child process inherits it."""
    environ = {"BLIKK_API_KEY": KEY, "XDG_STATE_HOME": "/nowhere"}
    read_settings(environ)
    assert "BLIKK_API_KEY" not in environ


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
    """Blikk's page: HTTPS only; ours: http on loopback only."""
    assert problems(BLIKK_BASE_URL=url)[0].startswith("BLIKK_BASE_URL: ")


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("1", True), ("YES", True), ("false", False), ("0", False), ("no", False)]
)
def test_booleans_are_words_or_digits(text: str, value: bool) -> None:
    """Ours: `true`/`false`, `1`/`0`, `yes`/`no`."""
    assert settings(BLIKK_READ_ONLY=text).read_only is value


@pytest.mark.parametrize("text", ["1.000", "1,000", "1e3", "-1", "ISK 5", "0x10", "٣", "5 000"])
def test_an_amount_is_digits_only(text: str) -> None:
    """Ours: what one could read as decimals or as thousands is not read at all."""
    assert problems(BLIKK_DAILY_LIMIT_ISK=text)[0].startswith("BLIKK_DAILY_LIMIT_ISK: ")


def test_creditors_are_accounts_or_kennitalas() -> None:
    """Ours: an IBAN and the same account's BBAN are one entry."""
    by_iban, by_bban, by_kennitala = settings(
        BLIKK_ALLOWED_CREDITORS=f"{IBAN}, 0159-26-007654, 551073-0339"
    ).allowed_creditors
    assert by_iban == by_bban
    assert by_kennitala.kennitala == "5510730339"


@pytest.mark.parametrize("text", [",", "IS00", "12345", f"{IBAN},x"])
def test_a_list_of_creditors_with_a_mistake_allows_nobody(text: str) -> None:
    """Ours: a list that cannot be read must not become no list."""
    (problem,) = problems(BLIKK_ALLOWED_CREDITORS=text)
    assert text not in problem or text == ","


@pytest.mark.parametrize("text", ["https://bank.is", "bank", "bank.is/x", "*.bank.is", ",", "bank.is:443"])
def test_a_list_of_hosts_holds_host_names_only(text: str) -> None:
    """Ours: compared by parsed equality, so nothing but names can be meant."""
    assert problems(BLIKK_SCA_HOSTS=text)[0].startswith("BLIKK_SCA_HOSTS: ")


def test_two_base_urls_have_two_ledgers() -> None:
    """Ours: sandbox and production never mix."""
    assert settings().ledger != settings(BLIKK_BASE_URL="https://stage.blikk.tech/paymentchannel").ledger


def test_every_setting_that_is_read_is_documented() -> None:
    """Ours: the README's table is generated from the list that unknown names are checked against."""
    source = Path(read_settings.__code__.co_filename).read_text()
    assert {setting.name for setting in SETTINGS} == set(re.findall(r'"(BLIKK_[A-Z_]+)"', source))


def test_environment_of_ignores_what_follows_the_host() -> None:
    """Ours: only scheme, host and port make an environment."""
    assert environment_of("https://stage.blikk.tech") == "stage"
