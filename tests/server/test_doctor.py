"""`blikk-mcp doctor`: what it looks at, and what a client's own configuration would give the server."""

from __future__ import annotations

import functools
import json
import os
import re
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from blikk_mcp.cli import main
from blikk_mcp.commands import checks
from blikk_mcp.commands.client_settings import given_by
from blikk_mcp.commands.clients import CLIENTS
from blikk_mcp.commands.config_files import CannotChange
from blikk_mcp.redaction.redactor import Redactor
from blikk_mcp.settings.settings import PRODUCTION_URL, read_settings
from blikk_payments.errors import OutcomeUnknown
from blikk_payments.ledger.opening import SqliteLedger
from blikk_sandbox.running import RunningSandbox
from tests.payments.factories import an_intent, answer
from tests.payments.ledgers import allow
from tests.payments.loopback import as_json, http, loopback
from tests.server.running import environment

KEY = "doctor-canary-key-0123456789"
CLIENTS_CHECKED = [name for name in CLIENTS if name != "other"]
FILLED_IN_ELSEWHERE = {"vscode", "goose", "continue"}
"""Clients that keep the key to themselves."""

Doctor = Callable[..., tuple[int, str]]


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """The command in this process, in a home of the test's own: its exit code and all that it printed."""
    for name in os.environ:
        if name.startswith(("BLIKK_", "CODEX_", "SSL", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")

    def run(*arguments: str, command: str = "doctor", **environ: str) -> tuple[int, str]:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        code = main([command, *arguments])
        printed = capsys.readouterr()
        for name in environ:
            monkeypatch.delenv(name, raising=False)
        return code, printed.out + printed.err

    return run


@pytest.mark.parametrize("client", CLIENTS_CHECKED)
def test_what_config_writes_the_doctor_finds_sound(
    client: str, doctor: Doctor, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    """Round trip: the client's own file gives the server what the shell had, checked against the bank itself."""
    environ = environment(sandbox, tmp_path, BLIKK_READ_ONLY="true")
    doctor(client, "--write", command="config", **environ)
    (tmp_path / ".blikk-key").write_text(sandbox.api_key)
    (tmp_path / ".blikk-key").chmod(0o600)
    code, told = doctor(client, **environ)
    assert code == 0, told
    assert str(CLIENTS[client].paths("linux", os.environ)[0]) in told
    assert f"settings: custom, {sandbox.base_url}" in told
    assert ("accepts the key" in told) != (client in FILLED_IN_ELSEWHERE)
    assert "keeps the key to itself" in told or client not in FILLED_IN_ELSEWHERE
    assert sandbox.api_key not in told


@pytest.mark.parametrize("client", [name for name in CLIENTS_CHECKED if name != "codex"])
def test_the_doctor_checks_the_client_and_not_the_shell(
    client: str, doctor: Doctor, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    """Seen: a shell set for the stage, praised, beside a client that pays in production."""
    doctor(client, "--write", command="config", BLIKK_API_KEY=KEY, BLIKK_BASE_URL=f"{sandbox.base_url}/elsewhere")
    (tmp_path / ".blikk-key").write_text(KEY)
    _, told = doctor(client, **environment(sandbox, tmp_path, BLIKK_READ_ONLY="true"))
    assert f"settings: custom, {sandbox.base_url}/elsewhere" in told
    (line,) = [line for line in told.splitlines() if "set in this shell" in line]
    assert {"BLIKK_BASE_URL", "BLIKK_READ_ONLY", "BLIKK_LEDGER"} <= set(line.replace(",", " ").split())


@pytest.mark.parametrize(
    ("client", "said"),
    [
        ("claude-code", "BLIKK_API_KEY: is still a placeholder"),
        ("cursor", "BLIKK_API_KEY: is still a placeholder"),
        ("gemini", "BLIKK_API_KEY: is not set"),
        ("opencode", "BLIKK_API_KEY: is not set"),
        ("codex", "BLIKK_API_KEY: is not set"),
        ("zed", "BLIKK_API_KEY_FILE: the key file "),
    ],
)
def test_a_key_that_the_client_cannot_fill_in_is_named(client: str, said: str, doctor: Doctor) -> None:
    """Each client does something else with a variable that is not there."""
    doctor(client, "--write", command="config")
    code, told = doctor(client)
    assert code == 1
    assert said in told


@pytest.mark.parametrize("client", CLIENTS_CHECKED)
def test_a_client_that_is_not_set_up_is_told_how(client: str, doctor: Doctor) -> None:
    """No file, or one without our server: the file's path, and the command that mends it."""
    code, told = doctor(client)
    assert code == 1
    assert str(CLIENTS[client].paths("linux", os.environ)[0]) in told
    assert f"config {client} --write" in told


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"mcpServers": {"blikk": {"command": "blikk-mcp"}}}', "absolute path"),
        ('{"mcpServers": {"blikk": {"command": "/nowhere/blikk-mcp"}}}', "not there any more"),
        ('{"mcpServers": {"pay": {"command": "/nowhere/blikk-mcp", "args": ["--sandbox"]}}}', "runs with a sandbox"),
        ('{"mcpServers": {"blikk": {}}}', "names no command"),
        ('{"mcpServers": ', "not understood"),
        ('{"mcpServers": {"other": {"command": "x"}}}', "no server that runs blikk-mcp"),
    ],
)
def test_a_clients_file_is_read_as_it_is(content: str, said: str, doctor: Doctor, tmp_path: Path) -> None:
    """A command that is gone, a name of the user's own, a file that is broken."""
    (tmp_path / ".cursor").mkdir()
    (tmp_path / ".cursor" / "mcp.json").write_text(content)
    code, told = doctor("cursor")
    assert code == 1
    assert said in told


def test_a_default_of_claude_codes_is_filled_in(doctor: Doctor, tmp_path: Path) -> None:
    """Claude Code's documentation: `${NAME:-default}`."""
    text = '{"mcpServers": {"blikk": {"command": "c", "env": {"BLIKK_LANGUAGE": "${LANGUAGE_OF_MINE:-is}"}}}}'
    Path(".mcp.json").write_text(text)
    assert given_by("claude-code", "linux", {}).environment == {"BLIKK_LANGUAGE": "is"}
    assert given_by("claude-code", "linux", {"LANGUAGE_OF_MINE": "en"}).environment == {"BLIKK_LANGUAGE": "en"}


def test_the_doctor_names_the_ledgers_path_and_makes_none(
    doctor: Doctor, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    """A path that is not the one that was meant shows itself here."""
    environ = environment(sandbox, tmp_path)
    code, told = doctor(**environ)
    assert code == 0, told
    assert f"none yet at {environ['BLIKK_LEDGER']}" in told
    assert not (tmp_path / "state").exists()


def claimed(path: Path) -> None:
    """A ledger with a payment in it."""
    with SqliteLedger(path) as ledger:
        ledger.claim(an_intent("order-1"), allow, window_minutes=0, now=datetime.now(UTC))


def settings_with(path: Path) -> Any:
    return read_settings({"BLIKK_API_KEY": KEY, "BLIKK_BASE_URL": PRODUCTION_URL, "BLIKK_LEDGER": str(path)})


def test_the_command_says_of_the_history_what_it_was_asked(
    doctor: Doctor, sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks for a check and gets none would take a changed ledger for a sound one."""
    environ = environment(sandbox, tmp_path)
    claimed(Path(environ["BLIKK_LEDGER"]))

    def verify(ledger: SqliteLedger) -> list[str]:
        del ledger
        return ["a broken link"]

    monkeypatch.setattr(SqliteLedger, "verify", verify)
    code, told = doctor("--verify", **environ)
    assert (code, "a broken link" in told) == (1, True)
    assert "a broken link" not in doctor(**environ)[1]


def test_a_ledger_that_cannot_be_written_now_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading works beside another program's lock, paying does not."""
    path = tmp_path / "state" / "ledger.sqlite3"
    claimed(path)
    quick = functools.partial(SqliteLedger, busy_timeout_seconds=0.05)
    monkeypatch.setattr("blikk_payments.ledger.opening.SqliteLedger", quick)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        (finding,) = checks.ledger(settings_with(path), verify=False)
    finally:
        holder.close()
    assert finding.mark == "fix"
    assert str(path) in finding.what


def test_the_history_is_read_only_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred thousand payments take seconds to verify, and everything else takes none."""
    path = tmp_path / "state" / "ledger.sqlite3"
    claimed(path)
    verified: list[SqliteLedger] = []

    def verify(ledger: SqliteLedger) -> list[str]:
        verified.append(ledger)
        return ["a broken link"]

    monkeypatch.setattr(SqliteLedger, "verify", verify)
    assert "a broken link" not in [finding.what for finding in checks.ledger(settings_with(path), verify=False)]
    assert verified == []
    assert "a broken link" in [finding.what for finding in checks.ledger(settings_with(path), verify=True)]


def test_a_stray_payment_is_reported_until_a_person_has_named_the_right_one(
    doctor: Doctor, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    """Two payments of Blikk's for one key, as when the answer to an earlier request comes late: somebody has to look."""
    environ = environment(sandbox, tmp_path)
    began = datetime.now(UTC)
    with SqliteLedger(Path(environ["BLIKK_LEDGER"]), environment="loopback") as ledger:
        for number, key in enumerate(("order-0001", "order-0002"), 1):
            asked = an_intent(key, 100 * number, account_key=f"IS{number:012}")
            ledger.claim(asked, allow, window_minutes=0, now=began)
            ledger.refused(key, 1, code="unauthorized", bank_text="", now=began)
            ledger.claim(asked, allow, window_minutes=0, now=began)
            ledger.created(key, 2, answer(payment_id=f"pay-{number}"), now=began)
        with pytest.raises(OutcomeUnknown):
            ledger.created("order-0001", 1, answer(payment_id="stray-1"), now=began)

        def listed(*options: str) -> str:
            code, printed = doctor("list", *options, command="ledger", **environ)
            assert code == 0
            return printed

        def strays() -> dict[str, bool]:
            return {one["idempotency_key"]: one["stray"] for one in map(json.loads, listed("--json").splitlines())}

        words = "two payments for the key order-0001"
        assert words in doctor(**environ)[1]
        assert words in listed().replace("\n", " ")
        assert strays() == {"order-0001": True, "order-0002": False}
        record = ledger.resolve_created(
            "order-0001", answer(payment_id="stray-1"), note="Anna looked", now=datetime.now(UTC)
        )
        assert "stray_payment" not in record.warnings
        assert ledger.by_key("order-0001", now=datetime.now(UTC)) == record
    code, printed = doctor(**environ)
    assert (code, "two payments" in printed) == (0, False)
    assert "two payments" not in listed()
    assert strays() == {"order-0001": False, "order-0002": False}


DOCUMENT: dict[str, Any] = {"paths": {}}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("replies", "marks", "said"),
    [
        ((as_json(200, DOCUMENT), http(404), http(404)), ["ok", "note"], "accepts the key"),
        ((http(404), http(200)), ["ok", "note"], "not there"),
        ((http(404), http(404)), ["fix"], "no Payment Channel API"),
        ((as_json(200, DOCUMENT), http(404), http(401)), ["fix"], "does not accept the key"),
        ((as_json(200, DOCUMENT), http(403)), ["fix"], "the key is for another channel"),
        ((as_json(200, DOCUMENT), http(401)), ["fix"], "does not accept the key"),
    ],
)
async def test_a_page_that_is_missing_is_no_missing_api(replies: Any, marks: list[str], said: str) -> None:
    """Seen: openapi.json there, `/docs` 404, and "there is no Payment Channel API at BLIKK_BASE_URL"."""
    async with loopback(*replies) as server:
        settings = read_settings(
            {"BLIKK_LEDGER": "/nowhere/l", "BLIKK_API_KEY": KEY, "BLIKK_BASE_URL": server.base_url}
        )
        findings = await checks.blikk(settings, str)
    assert [finding.mark for finding in findings] == marks
    assert said in " ".join(finding.what for finding in findings)


@pytest.mark.anyio
async def test_the_doctor_does_not_repeat_a_key_that_blikk_echoes() -> None:
    """What a difference is told by are names in Blikk's own document, and its 401 says the key back: seen leaking."""
    wants: dict[str, Any] = {
        "required": [f"old-{KEY}"],
        "properties": {name: {} for name in ("amount", "currency", "creditor")},
    }
    schema: dict[str, Any] = {"requestBody": {"content": {"application/json": {"schema": wants}}}}
    document: dict[str, Any] = {"paths": {"/payment": {"post": schema}}}
    told: dict[str, str] = {}
    for name, redact in (("redacted", Redactor([KEY]).text), ("as it is", str)):
        refusal = as_json(401, {"detail": f"no such key: {KEY}"})
        async with loopback(as_json(200, document), http(200)) as there, loopback(refusal) as refusing:
            for server in (there, refusing):
                settings = read_settings(
                    {"BLIKK_LEDGER": "/nowhere/l", "BLIKK_API_KEY": KEY, "BLIKK_BASE_URL": server.base_url}
                )
                findings = await checks.blikk(settings, redact)
                told[name] = told.get(name, "") + " ".join(finding.what for finding in findings)
    assert (KEY in told["redacted"], KEY in told["as it is"]) == (False, True)
    assert "[redacted] is required but not sent" in told["redacted"]
    assert "does not accept the key" in told["redacted"]


def test_whatever_the_doctor_finds_is_printed_without_the_key(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The net under what each check takes care of by itself."""

    async def echoing(settings: object, redact: object) -> list[checks.Finding]:
        return [checks.Finding("fix", f"Blikk: {KEY} is unknown")]

    monkeypatch.setattr(checks, "blikk", echoing)
    _, printed = doctor(BLIKK_API_KEY=KEY, BLIKK_LEDGER=str(tmp_path / "state" / "l"))
    assert "Blikk: [redacted] is unknown" in printed
    assert KEY not in printed


def test_a_file_of_tls_secrets_is_named(tmp_path: Path) -> None:
    """Set for a browser, it makes people ask whether the key is in it."""
    settings = settings_with(tmp_path / "l")
    named = checks.surroundings(settings, {"SSLKEYLOGFILE": "/x"}, named=True)
    assert [finding.what for finding in named if "SSLKEYLOGFILE" in finding.what]
    assert not [finding for finding in checks.surroundings(settings, {}, named=True) if "SSLKEY" in finding.what]


def test_whose_certificates_are_trusted_is_named_for_blikk_and_not_for_a_sandbox_of_this_machine(
    tmp_path: Path,
) -> None:
    """Whoever set the file can read along; to a sandbox on loopback there is no TLS to read."""
    environ = {"SSL_CERT_FILE": "/x", "SSL_CERT_DIR": "/y"}

    def named(base_url: str, environ: dict[str, str]) -> list[str]:
        given = {"BLIKK_API_KEY": KEY, "BLIKK_BASE_URL": base_url, "BLIKK_LEDGER": str(tmp_path / "l")}
        found = checks.surroundings(read_settings(given), environ, named=True)
        return [finding.what for finding in found if "certificates" in finding.what]

    (both,) = named(PRODUCTION_URL, environ)
    assert both.startswith("SSL_CERT_FILE and SSL_CERT_DIR decides")
    assert named(PRODUCTION_URL, {}) == []
    assert named("http://127.0.0.1:1/paymentchannel", environ) == []


@pytest.mark.parametrize("client", [name for name in CLIENTS_CHECKED if len(CLIENTS[name].paths("linux", {})) > 1])
def test_each_file_that_a_client_reads_is_looked_into_in_its_order(client: str, doctor: Doctor, tmp_path: Path) -> None:
    """The project's or the user's own: the first that has our server counts; one without it, or empty, is passed over."""
    first, second = CLIENTS[client].paths("linux", os.environ)
    doctor(client, "--write", command="config")
    ours = first.read_text()
    for path in (first, second):
        path.parent.mkdir(parents=True, exist_ok=True)
    second.write_text(ours)
    without = {"json": '{"mcpServers": {}, "mcp": {}}', "toml": "[mcp_servers]\n", "yaml": "mcpServers: []\n"}
    expected = {ours: first, "": second, " \n": second, without[CLIENTS[client].format]: second}
    found = {}
    for content in expected:
        first.write_text(content)
        found[content] = given_by(client, "linux", dict(os.environ)).file
    assert found == expected
    first.unlink()
    assert given_by(client, "linux", dict(os.environ)).file == second
    second.unlink()
    with pytest.raises(CannotChange, match=f"in {re.escape(str(first))} or {re.escape(str(second))}: "):
        given_by(client, "linux", dict(os.environ))


def test_a_project_in_claude_codes_own_file_counts_before_the_rest_of_it(doctor: Doctor, tmp_path: Path) -> None:
    """Claude Code's documentation: a server can be one of the user's, or of one project of theirs."""

    def server(command: str) -> dict[str, Any]:
        return {"mcpServers": {"blikk": {"command": command}}}

    here, elsewhere = str(Path.cwd()), str(tmp_path / "elsewhere")
    file = tmp_path / ".claude.json"
    cases: list[tuple[dict[str, Any], str]] = [
        ({**server("mine"), "projects": {elsewhere: server("theirs"), here: server("here")}}, "here"),
        ({**server("mine"), "projects": {elsewhere: server("theirs")}}, "mine"),
        ({"projects": {elsewhere: server("theirs"), here: server("here")}}, "here"),
        ({"mcpServers": None, "projects": {here: {"mcpServers": None}}, **server("mine")}, "mine"),
    ]
    for whole, command in cases:
        file.write_text(json.dumps(whole))
        assert given_by("claude-code", "linux", {}).command == [command]
