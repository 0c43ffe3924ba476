"""The commands that are not the server: demo, sandbox, doctor, version."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blikk_mcp import __version__
from blikk_mcp.commands.doctor import compare_schema
from blikk_sandbox.running import RunningSandbox
from docs.picture import always_the_same
from tests.server import running
from tests.server.in_process import blikk_mcp
from tests.server.running import COMMAND_SECONDS, environment

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("run", [blikk_mcp, pytest.param(running.blikk_mcp, marks=pytest.mark.slow)])
def test_the_demo_pays_once_and_says_what_happens(run: Callable[[str], subprocess.CompletedProcess[str]]) -> None:
    """List, create, tell the person, approve, wait, paid; exit 0."""
    ended = run("demo")
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
    for part in (
        "create_payment",
        "Word for word",
        "http://127.0.0.1:",
        "replayed: true",
        "Payment approved",
        'outcome: "paid"',
    ):
        assert part in ended.stdout
    assert "Paid, once" in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) <= 80
    told = re.sub(r" +$|(?<=--)-+", "", always_the_same(ended.stdout), flags=re.MULTILINE)
    snapshot = Path(__file__).parent / "snapshots" / "demo.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        snapshot.write_text(told)
    # On a machine that is very busy the agent has to ask once more, and says so.
    assert told == snapshot.read_text() or "yet: the agent calls await_payment" in told


@pytest.mark.slow
def test_the_demo_ignores_the_settings_of_the_real_world(tmp_path: Path) -> None:
    """A demo on a machine that is set up for production touches neither its key nor its ledger."""
    key, ledger = "production-key-0123456789", tmp_path / "real" / "ledger.sqlite3"
    ended = blikk_mcp("demo", environ={"BLIKK_API_KEY": key, "BLIKK_LEDGER": str(ledger), "BLIKK_READ_ONLY": "true"})
    assert ended.returncode == 0
    assert not ledger.exists()
    assert key not in ended.stdout + ended.stderr


@pytest.mark.slow
def test_the_sandbox_says_in_one_line_where_it_listens() -> None:
    """One line of JSON with `base_url` and `api_key`, then it serves until a signal."""
    process = subprocess.Popen([sys.executable, "-m", "blikk_mcp.cli", "sandbox"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        said = json.loads(process.stdout.readline())
        assert said["base_url"].startswith("http://127.0.0.1:")
        assert said["base_url"].endswith("/paymentchannel")
        assert said["api_key"]
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=COMMAND_SECONDS)
    assert (rest, process.returncode) == ("", 0)


def test_the_sandbox_does_not_listen_to_the_world() -> None:
    """Its control API has no key, so it stays on loopback."""
    ended = blikk_mcp("sandbox", "--host", "0.0.0.0")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "loopback" in ended.stderr


def test_the_version_is_the_packages() -> None:
    """`--version` says what is installed."""
    assert blikk_mcp("--version").stdout.strip() == f"blikk-mcp {__version__}"


def test_the_version_stands_in_one_place() -> None:
    """A release changes one line; pyproject reads it, and the changelog's top section is about it."""
    written = [
        str(path.relative_to(ROOT))
        for folder in ("server", "tools")
        for path in (ROOT / folder).rglob("*.py")
        if f'"{__version__}"' in path.read_text(encoding="utf-8")
    ]
    assert written == ["server/blikk_mcp/__init__.py"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == written[0]
    top = re.search(r"^## \[([^]]+)\] - (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert top is not None
    assert top[1] == __version__


def test_the_doctor_finds_a_sound_set_up_sound(sandbox: RunningSandbox, tmp_path: Path) -> None:
    """Settings, ledger, key, reachability and the live OpenAPI document; exit 0."""
    ended = blikk_mcp("doctor", environ=environment(sandbox, tmp_path))
    assert ended.returncode == 0, ended.stdout
    assert "accepts the key" in ended.stdout
    assert "agrees with what this version sends" in ended.stdout
    assert sandbox.api_key not in ended.stdout


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"BLIKK_API_KEY": "not-the-key-at-all"}, "does not accept the key"),
        ({"BLIKK_API_KEY": ""}, "BLIKK_API_KEY"),
        ({"BLIKK_DAILY_LIMIT": "5"}, "did you mean BLIKK_DAILY_LIMIT_ISK"),
        ({"BLIKK_BASE_URL": "http://127.0.0.1:9/paymentchannel"}, "could not be reached"),
    ],
    ids=["key", "no key", "name", "unreachable"],
)
def test_the_doctor_says_what_to_fix(sandbox: RunningSandbox, tmp_path: Path, wrong: dict[str, str], said: str) -> None:
    """Exit 1 and the thing to correct."""
    ended = blikk_mcp("doctor", environ={**environment(sandbox, tmp_path), **wrong})
    assert ended.returncode == 1
    assert said in ended.stdout


def test_the_doctor_tells_how_blikks_document_differs() -> None:
    """The live document is not known to us, so a difference is told and fails nothing."""
    document: dict[str, Any] = {
        "paths": {
            "/payment": {"post": {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/x"}}}}}}
        },
        "x": {
            "required": ["amount", "reference"],
            "properties": {
                "amount": {},
                "reference": {},
                "creditor": {"properties": {"ssn": {}, "name": {}, "iban": {}}},
            },
        },
    }
    assert compare_schema(document, {"scaUserSsn"}) == [
        "currency is sent but not described",
        "scaUserSsn is sent but not described",
        "reference is required but not sent",
        "creditor.bban is sent but not described",
    ]
    assert "cannot be compared" in compare_schema({"paths": {}}, set())[0]


def test_a_report_for_a_support_ticket_names_what_is_set_and_no_value(sandbox: RunningSandbox, tmp_path: Path) -> None:
    """Blikk's page: no keys in support tickets; our rule: nor anything that identifies a person."""
    people = {"BLIKK_SCA_USER_SSN": "551073-0339", "BLIKK_ALLOWED_CREDITORS": "0159-26-007654"}
    ended = blikk_mcp("doctor", "--report", environ=environment(sandbox, tmp_path, **people))
    assert ended.returncode == 0, ended.stdout
    assert f"blikk-mcp: {__version__}" in ended.stdout
    assert "BLIKK_SCA_USER_SSN" in ended.stdout
    for leak in ("551073", "007654", sandbox.api_key):
        assert leak not in ended.stdout
