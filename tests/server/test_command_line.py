"""The command line: no complaint repeats what was given, and every terminal can be printed on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from blikk_mcp.cli import main
from blikk_payments.ledger.opening import SqliteLedger
from blikk_sandbox.running import RunningSandbox
from tests.payments.factories import an_intent
from tests.payments.ledgers import allow
from tests.server.in_process import blikk_mcp
from tests.server.running import PAYMENT, call, connected, environment

SECRET = "s3cret-551073-0339"


@dataclass
class Ended:
    """How a command ended in this process."""

    code: int
    stdout: str
    stderr: str


Run = Callable[..., Ended]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs a command in this process, with no settings but a state folder of the test's own."""
    for name in os.environ:
        if name.startswith("BLIKK_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def run_it(*arguments: str) -> Ended:
        try:
            code = main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        return Ended(code, printed.out, printed.err)

    return run_it


@pytest.mark.parametrize(
    "arguments",
    [
        [SECRET],
        ["--api-key", SECRET],
        [f"--api-key={SECRET}"],
        ["serve", "--api-key", SECRET],
        ["serve", f"--sandbox={SECRET}"],
        ["serve", SECRET],
        ["demo", SECRET],
        ["demo", f"--open={SECRET}"],
        ["doctor", SECRET],
        ["doctor", "--report", SECRET, SECRET],
        ["doctor", f"--report={SECRET}"],
        ["config", SECRET],
        ["config", "cursor", SECRET],
        ["config", "cursor", f"--{SECRET}"],
        ["sandbox", "--port", SECRET],
        ["sandbox", f"--port={SECRET}"],
        ["sandbox", "--speed", SECRET],
        ["sandbox", "--host", SECRET],
        ["sandbox", "--seed", SECRET],
        ["ledger", SECRET],
        ["ledger", "list", SECRET],
        ["ledger", "list", f"--open={SECRET}"],
        ["ledger", "show", SECRET, SECRET],
        ["ledger", "show", SECRET, f"--{SECRET}"],
        ["ledger", "show", SECRET],
        ["ledger", "resolve", SECRET],
        ["ledger", "resolve", SECRET, "--not-created", "--created", SECRET, "--note", SECRET],
        ["ledger", "resolve", SECRET, "--not-created", "--note", SECRET],
        ["ledger", "export", "--format", SECRET],
        ["ledger", "export", f"--form={SECRET}"],
        ["ledger", "verify", SECRET],
        ["ledger", "prune", "--older-than-days", SECRET],
        ["ledger", "prune", f"--older-than-days=-{SECRET}"],
    ],
    ids=lambda arguments: " ".join(arguments).replace(SECRET, "X"),
)
def test_no_command_repeats_what_it_refuses(run: Run, arguments: list[str]) -> None:
    """Seen: `serve --api-key KEY` and a kennitala given to `ledger show` in the terminal's scroll-back and CI's logs."""
    ended = run(*arguments)
    assert ended.code in (1, 2)
    assert SECRET not in ended.stdout + ended.stderr
    assert ended.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sandbox", "--port", "99999"], "argument --port: has to be a whole number from 0 to 65535"),
        (["sandbox", "--port", "-1"], "argument --port: "),
        (["sandbox", "--speed", "0"], "argument --speed: has to be a number from"),
        (["sandbox", "--speed", "nan"], "argument --speed: has to be a number from"),
        (["ledger", "prune", "--older-than-days", "-1"], "argument --older-than-days: "),
        (["ledger", "prune", "--older-than-days", "99999999999"], "argument --older-than-days: has to be"),
        (["ledger", "export", "--format", "xml"], "argument --format: must be one of jsonl, csv"),
        (["ledger", "nonsense"], "must be one of list, show, resolve"),
        (["nonsense"], "must be one of serve, demo"),
        (["config", "notepad"], "claude-code"),
        (["config"], "required: CLIENT"),
        (["ledger", "resolve", "k", "--note", "n"], "--created"),
    ],
    ids=str,
)
def test_a_complaint_says_what_may_stand_there(run: Run, arguments: list[str], said: str) -> None:
    """What was given is not repeated; what would be right is said."""
    ended = run(*arguments)
    assert ended.code == 2
    assert said in ended.stderr


@pytest.mark.anyio
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
async def test_commands_print_on_any_terminal(encoding: str, tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Seen: `PYTHONIOENCODING=latin-1 blikk-mcp ledger list` ended in a traceback at the first masked account."""
    environ = environment(sandbox, tmp_path)
    payment = {**PAYMENT, "creditor_name": "Kría „ehf.“ þ – 北京", "purpose": "Kaffi ☕"}
    async with connected(environ) as client:
        await call(client, "create_payment", payment)
    key = str(PAYMENT["idempotency_key"])
    for command in (["ledger", "list"], ["ledger", "show", key], ["doctor"]):
        ended = blikk_mcp(*command, environ=environ, encoding=encoding)
        assert ended.returncode == 0, ended.stderr
        assert key in ended.stdout or command == ["doctor"]
    for command in (["ledger", "list", "--json"], ["ledger", "show", key, "--json"], ["ledger", "export"]):
        ended = blikk_mcp(*command, environ=environ, encoding=encoding)
        assert json.loads(ended.stdout)["creditor_name"] == payment["creditor_name"]
    exported = blikk_mcp("ledger", "export", "--format", "csv", environ=environ)
    assert payment["creditor_name"] in exported.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["ledger", "list"],
        ["ledger", "export"],
        ["ledger", "verify"],
        ["doctor"],
        ["doctor", "--report"],
        ["config", "zed"],
        ["demo"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["at the end", "at the first word"])
def test_a_reader_that_has_seen_enough_is_no_error(command: list[str], unbuffered: str, tmp_path: Path) -> None:
    """Seen: `blikk-mcp config cursor | true` ended in a traceback, and `ledger list | true` with 1.

    The doctor, which has no key here, ends as it does with a reader.
    """
    path = tmp_path / "ledger.sqlite3"
    with SqliteLedger(path) as ledger:
        ledger.claim(an_intent(), allow, window_minutes=0, now=datetime.now(UTC))
    given = {"BLIKK_LEDGER": str(path), "PYTHONUNBUFFERED": unbuffered, "HOME": str(tmp_path)}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BLIKK_")}
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as nobody:
        ended = subprocess.run(
            [sys.executable, "-m", "blikk_mcp.cli", *command],
            stdout=nobody,
            stderr=subprocess.PIPE,
            text=True,
            env={**kept, **given},
            check=False,
        )
    assert ended.returncode == (1 if command[0] == "doctor" else 0)
    assert "Traceback" not in ended.stderr
    assert "BrokenPipe" not in ended.stderr
