"""Each of the doctor's findings in full: what is in order, what is worth knowing, and what has to be corrected."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from blikk_mcp.commands import checks
from blikk_mcp.commands.checks import Finding
from blikk_mcp.commands.client_settings import runs
from blikk_mcp.commands.openapi import compare_schema
from blikk_mcp.settings.settings import PRODUCTION_URL, read_settings
from blikk_payments.errors import LedgerUnavailable
from blikk_payments.ledger.opening import SqliteLedger
from tests.payments.factories import an_intent
from tests.payments.ledgers import allow
from tests.payments.loopback import as_json, http, loopback
from tests.server.in_process import blikk_mcp

KEY = "findings-canary-key-0123456789"


def settings_with(path: Path | str, **more: str) -> Any:
    """Of production, with this ledger."""
    given = {"BLIKK_API_KEY": KEY, "BLIKK_BASE_URL": PRODUCTION_URL, "BLIKK_LEDGER": str(path)}
    return read_settings({**given, **more})


def found(path: Path, *, verify: bool = False, named: bool = True) -> list[Finding]:
    """What is found of the ledger there."""
    return checks.ledger(settings_with(path), verify=verify, named=named)


def test_a_ledger_that_is_not_there_yet_can_be_made_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder is made with it, so the nearest one that is there has to be a folder, and one to write in."""
    path = tmp_path / "state" / "deeper" / "ledger.sqlite3"
    cannot = Finding("fix", f"ledger: none yet at {path}, and it cannot be made there: check the folder's permissions")
    assert found(path) == [Finding("ok", f"ledger: none yet at {path}; the first payment makes it")]
    assert found(path, named=False) == [Finding("ok", "ledger: none yet; the first payment makes it")]
    with monkeypatch.context() as patched:
        asked: list[tuple[str, int]] = []

        def may_not(folder: Path, mode: int) -> bool:
            asked.append((str(folder), mode))
            return False

        patched.setattr("blikk_mcp.commands.checks.os.access", may_not)
        assert found(path) == [cannot]
        assert asked == [(str(tmp_path), os.W_OK)]
    (tmp_path / "state").write_text("a file")
    assert found(path) == [cannot]
    (tmp_path / "state").unlink()
    (tmp_path / "state").symlink_to(tmp_path / "nowhere")
    assert found(path) == [cannot]


def test_a_ledger_that_is_there_is_told_with_what_is_unresolved(tmp_path: Path) -> None:
    """Fine, its history read or not; and what somebody has to look into."""
    path = tmp_path / "ledger.sqlite3"
    with SqliteLedger(path) as ledger:
        ledger.claim(an_intent("order-1"), allow, window_minutes=0, now=datetime.now(UTC))
    assert found(path) == [Finding("ok", f"ledger: can be written, nothing unresolved at {path}")]
    assert found(path, verify=True) == [
        Finding("ok", f"ledger: can be written, history intact, nothing unresolved at {path}")
    ]
    assert found(path, named=False) == [Finding("ok", "ledger: can be written, nothing unresolved")]
    with SqliteLedger(path) as ledger:
        ledger.unknown("order-1", 1, reason="no answer", now=datetime.now(UTC))
    unknown = "ledger: 1 payment(s) with an unknown outcome: see `blikk-mcp ledger list`"
    assert found(path) == [Finding("fix", unknown)]
    path.write_bytes(b"no database" * 1000)
    (broken,) = found(path)
    assert broken.mark == "fix"
    assert broken.what.startswith(f"ledger at {path}: ")
    assert found(path, named=False)[0].what.startswith("ledger: ")


def test_a_database_is_not_named_by_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may hold a user's name."""
    closed: list[bool] = []

    class Unreachable:
        """A database that is not there."""

        def exists(self) -> bool:
            raise LedgerUnavailable("it is not there")

        def close(self) -> None:
            closed.append(True)

    def opened(*_: object, **__: object) -> Unreachable:
        return Unreachable()

    monkeypatch.setattr("blikk_payments.ledger.opening.open_ledger", opened)
    settings = settings_with("postgresql://anna@127.0.0.1:1/x")
    expected = Finding("fix", f"ledger at the database in BLIKK_LEDGER: {LedgerUnavailable('it is not there').message}")
    assert checks.ledger(settings, verify=False) == [expected]
    assert closed == [True]


def test_a_proxy_is_told_of_with_its_host_and_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report needs no names; a sandbox of this machine has no proxy."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    settings = settings_with(tmp_path / "l")
    assert checks.surroundings(settings, {}, named=True) == []
    monkeypatch.setenv("https_proxy", "http://anna:secret@proxy.example:3128")
    told = "requests to Blikk go through {}, encrypted end to end"
    named = [Finding("note", told.format("the proxy proxy.example:3128"))]
    assert checks.surroundings(settings, {}, named=True) == named
    assert checks.surroundings(settings, {}, named=False) == [Finding("note", told.format("a proxy"))]
    local = settings_with(tmp_path / "l", BLIKK_BASE_URL="http://127.0.0.1:1/paymentchannel")
    assert checks.surroundings(local, {}, named=True) == []


def test_what_else_stands_between_is_told_in_full(tmp_path: Path) -> None:
    """Each with what it means."""
    settings = settings_with(tmp_path / "l")
    assert checks.surroundings(settings, {"SSL_CERT_DIR": "/x", "SSLKEYLOGFILE": "/y"}, named=True) == [
        Finding("note", "SSL_CERT_DIR decides which certificates are trusted: whoever set it can read along"),
        Finding("note", "SSLKEYLOGFILE is set: this server does not honour it, other programs do"),
    ]


DESCRIBED: dict[str, Any] = {
    "required": ["amount"],
    "properties": {
        "amount": {},
        "currency": {},
        "creditor": {"properties": {"ssn": {}, "name": {}, "iban": {}, "bban": {}}},
    },
}
REACHED = Finding("ok", "Blikk: reached, and it accepts the key")
NOT_ACCEPTED = "Blikk: Blikk does not accept the key (HTTP 401)"
NO_ANSWER = "Blikk: Blikk did not answer the question (HTTP 410). Check BLIKK_BASE_URL and the network."
NO_API = "Blikk: there is no Payment Channel API at BLIKK_BASE_URL (HTTP 404)"


def document(schema: dict[str, Any], path: str = "/payment") -> dict[str, Any]:
    """An OpenAPI document that describes a payment so."""
    return {"paths": {path: {"post": {"requestBody": {"content": {"application/json": {"schema": schema}}}}}}}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        (
            (as_json(200, document(DESCRIBED)), http(200)),
            [REACHED, Finding("ok", "Blikk's OpenAPI document agrees with what this version sends")],
        ),
        (
            (as_json(200, {"paths": {}}), http(200)),
            [
                REACHED,
                Finding(
                    "note",
                    "Blikk's OpenAPI document: no JSON body of POST /payment is described there; it cannot be compared",
                ),
            ],
        ),
        (
            (http(404), http(200)),
            [
                REACHED,
                Finding("note", "Blikk's OpenAPI document is not there; what is sent cannot be compared with it"),
            ],
        ),
        ((http(404), http(404)), [Finding("fix", NO_API)]),
        ((http(401),), [Finding("fix", NOT_ACCEPTED)]),
        ((http(403),), [Finding("fix", "Blikk: the key is for another channel (HTTP 403)")]),
        (
            (http(410),),
            [
                Finding(
                    "fix", "Blikk: Blikk did not answer the question (HTTP 410). Check BLIKK_BASE_URL and the network."
                )
            ],
        ),
        ((as_json(200, document(DESCRIBED)), http(404), http(401)), [Finding("fix", NOT_ACCEPTED)]),
    ],
)
async def test_what_blikk_answers_is_told_in_full(replies: Any, expected: list[Finding], tmp_path: Path) -> None:
    """And nothing is told twice, or left out."""
    async with loopback(*replies) as server:
        settings = settings_with(tmp_path / "l", BLIKK_BASE_URL=server.base_url)
        assert await checks.blikk(settings, str) == expected


@pytest.mark.anyio
async def test_a_blikk_that_is_not_reached_is_told_with_what_to_check(tmp_path: Path) -> None:
    """Nobody listens on port 1."""
    settings = settings_with(tmp_path / "l", BLIKK_BASE_URL="http://127.0.0.1:1/paymentchannel")
    (finding,) = await checks.blikk(settings, str)
    assert finding.mark == "fix"
    assert finding.what.startswith("Blikk: ")
    assert finding.what.endswith("Check BLIKK_BASE_URL and the network.")


@pytest.mark.anyio
async def test_what_the_settings_send_besides_is_compared_too(tmp_path: Path) -> None:
    """Of these Blikk's document says nothing; without the settings they are not sent."""
    chosen = {"BLIKK_SCA_USER_SSN": "0101302989", "BLIKK_DEBTOR_BBAN": "015926007654"}
    async with loopback(as_json(200, document(DESCRIBED)), http(200)) as server:
        settings = settings_with(tmp_path / "l", BLIKK_BASE_URL=server.base_url, **chosen)
        told = [finding.what for finding in await checks.blikk(settings, str)]
    assert told[1:] == [
        "Blikk's OpenAPI document: debtorBban is sent but not described",
        "Blikk's OpenAPI document: scaUserSsn is sent but not described",
    ]


CREDITOR = DESCRIBED["properties"]["creditor"]


SCHEMAS: list[tuple[dict[str, Any], list[str]]] = [
    (DESCRIBED, []),
    ({**DESCRIBED, "required": ["amount", "currency", "creditor"]}, []),
    ({**DESCRIBED, "required": ["reference" + "x" * 60]}, ["reference" + "x" * 31 + " is required but not sent"]),
    (
        {"properties": {"amount": {}, "creditor": {"properties": {"ssn": {}, "iban": {}}, "required": ["iban"]}}},
        [
            "currency is sent but not described",
            "creditor.bban is sent but not described",
            "creditor.name is sent but not described",
        ],
    ),
    ({"$ref": "#/components/schemas/Order"}, []),
    ({"allOf": [{"properties": {"amount": {}, "currency": {}}}, {"$ref": "#/components/schemas/Creditor"}]}, []),
    ({"oneOf": [{"$ref": "#/components/schemas/Order"}]}, []),
    ({"anyOf": [{"anyOf": [DESCRIBED]}]}, []),
]


@pytest.mark.parametrize(("schema", "differences"), SCHEMAS)
def test_a_schema_is_compared_by_its_names(schema: dict[str, Any], differences: list[str]) -> None:
    """OpenAPI 3.1: references and the three ways to put a schema together."""
    schemas = {"Order": DESCRIBED, "Creditor": {"properties": {"creditor": CREDITOR}}}
    for path in ("/payment", "/v1/payment/"):
        whole = {**document(schema, path), "components": {"schemas": schemas}}
        assert compare_schema(whole, set()) == differences


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ([], "names no command"),
        ([""], "names no command"),
        (["blikk-mcp"], "names the command without its absolute path: a client with a window does not find it"),
        (["FOLDER/gone"], "names a command that is not there any more"),
        (["FOLDER"], "names a command that is not there any more"),
        (["FOLDER/plain"], "names a command that is not there any more"),
        (["FOLDER/program", "serve"], ""),
    ],
)
def test_a_clients_command_has_to_be_one_that_starts(command: list[str], wrong: str, tmp_path: Path) -> None:
    """A folder, and a file that nobody may run, are none."""
    for name, mode in (("plain", 0o600), ("program", 0o700)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    assert runs([word.replace("FOLDER", str(tmp_path)) for word in command]) == wrong


def test_a_report_has_versions_and_names_and_no_values(tmp_path: Path) -> None:
    """For a support ticket: nothing that identifies anybody, and no path."""
    environ = {
        "BLIKK_API_KEY": KEY,
        "BLIKK_BASE_URL": "http://127.0.0.1:1/paymentchannel",
        "BLIKK_LEDGER": str(tmp_path / "state" / "l"),
        "BLIKK_LANGUAGE": "is",
    }
    ended = blikk_mcp("doctor", "--report", environ=environ)
    names = [line.partition(":")[0] for line in ended.stdout.splitlines()]
    assert names[:8] == [
        "blikk-mcp", "python", "system", "mcp", "httpx", "pydantic", "anyio", "settings that are set",
    ]  # fmt: skip
    (of_settings,) = [line for line in ended.stdout.splitlines() if line.startswith("settings that are set")]
    assert set(of_settings.partition(": ")[2].split(", ")) == set(environ)
    assert str(tmp_path) not in ended.stdout
    assert ended.returncode == 1
    nothing = blikk_mcp("doctor", "--report").stdout
    assert "settings that are set: none" in nothing


@pytest.mark.parametrize(("encoding", "ok", "fix"), [("utf-8", "✓", "✗"), ("ascii", "ok", "x"), ("latin-1", "ok", "x")])
def test_a_finding_has_a_mark_that_the_terminal_can_show(encoding: str, ok: str, fix: str, tmp_path: Path) -> None:
    """A question mark for each would tell nobody what is wrong."""
    environ = {
        "BLIKK_API_KEY": KEY,
        "BLIKK_BASE_URL": "http://127.0.0.1:1/paymentchannel",
        "BLIKK_LEDGER": str(tmp_path / "state" / "l"),
    }
    shown = blikk_mcp("doctor", environ=environ, encoding=encoding).stdout.splitlines()
    assert [line.split()[0] for line in shown] == [ok, ok, fix]


def test_a_project_of_claude_code_has_to_be_approved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own documentation; a file in the home folder needs none."""
    monkeypatch.chdir(tmp_path)
    entry = '{"mcpServers": {"blikk": {"command": "x", "args": ["serve", "--sandbox"]}}}'
    (tmp_path / ".mcp.json").write_text(entry)
    said = "Claude Code starts a project's servers only once you have approved them: /mcp"
    assert said in blikk_mcp("doctor", "claude-code", environ={"HOME": str(tmp_path)}).stdout
    (tmp_path / ".mcp.json").rename(tmp_path / ".claude.json")
    assert said not in blikk_mcp("doctor", "claude-code", environ={"HOME": str(tmp_path)}).stdout
