"""`blikk-mcp sandbox` as a developer starts it: one line on stdout, lines to paste on stderr, its options obeyed."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest

from blikk_mcp.commands import demo
from blikk_sandbox.running import RunningSandbox, run_sandbox_in_thread
from tests.sandbox.harness import payment_body
from tests.sandbox_control import control
from tests.server.in_process import blikk_mcp

LIMIT_SECONDS = 60
COMMAND = [sys.executable, "-m", "blikk_mcp.cli", "sandbox"]


@contextmanager
def sandbox_command(*options: str) -> Generator[tuple[dict[str, str], list[str]]]:
    """What a running sandbox said on stdout, and on stderr once it has ended."""
    process = subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    errors: list[str] = []
    try:
        yield json.loads(process.stdout.readline()), errors
    finally:
        process.send_signal(signal.SIGTERM)
        rest, stderr = process.communicate(timeout=LIMIT_SECONDS)
        errors += stderr.splitlines()
    assert (rest, process.returncode) == ("", 0)


def running_at(said: dict[str, str]) -> RunningSandbox:
    return RunningSandbox(said["base_url"], said["api_key"], said["control_url"])


def pay(said: dict[str, str]) -> dict[str, Any]:
    """A payment that the sandbox made."""
    request = urllib.request.Request(
        f"{said['base_url']}/payment",
        data=json.dumps(payment_body()).encode(),
        headers={"Content-Type": "application/json", "Api-Key": said["api_key"]},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_it_prints_lines_to_paste_into_a_shell() -> None:
    """What it says on stderr sets a shell up, comment included."""
    with sandbox_command() as (said, errors):
        assert set(said) == {"base_url", "api_key", "control_url"}
    script = "\n".join([*errors, 'printf "%s %s" "$BLIKK_BASE_URL" "$BLIKK_API_KEY"'])
    shell = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env={})
    assert shell.stdout == f"{said['base_url']} {said['api_key']}"
    assert any(said["control_url"] in line for line in errors)


def test_its_speed_and_its_seed_are_the_banks() -> None:
    """`--speed`: how long the bank takes by itself, read off the bank's own record and not a clock of ours."""
    with sandbox_command("--speed", "4", "--link-seconds", "77", "--seed", "41") as (said, _):
        payment = pay(said)
        control(running_at(said), "clock", {"advance_seconds": 3600})
        (entry,) = control(running_at(said), "record")["payments"]
    assert entry["id"] == payment["id"]
    seconds = [_seconds(entry["history"][step], entry["history"][step + 1]) for step in range(3)]
    assert [entry["status"] for entry in entry["history"]] == ["DRAFT", "PENDING", "SCA_REQUIRED", "ERROR"]
    assert seconds == pytest.approx([0.1, 0.2, 77.0])
    with run_sandbox_in_thread(seed=41) as other:
        assert said["api_key"] == other.api_key


def _seconds(earlier: dict[str, str], later: dict[str, str]) -> float:
    return (datetime.fromisoformat(later["at"]) - datetime.fromisoformat(earlier["at"])).total_seconds()


@pytest.mark.slow
def test_a_seed_makes_a_run_repeatable() -> None:
    """`--seed`: the same key and the same ids in another process."""
    runs: list[tuple[str, str]] = []
    for _ in range(2):
        with sandbox_command("--seed", "41") as (said, _):
            runs.append((said["api_key"], pay(said)["id"]))
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    "options",
    [
        ["--port", "99999"],
        ["--port", "-1"],
        ["--port", "80a"],
        ["--port", "٨٠"],
        ["--speed", "0"],
        ["--speed", "-77777"],
        ["--speed", "nan"],
        ["--speed", "inf"],
        ["--speed", "1e-300"],
        ["--speed", "quick"],
        ["--link-seconds", "0"],
        ["--link-seconds", "1e300"],
        ["--link-seconds", "-77777"],
        ["--seed", "x77777"],
        ["--seed", "1" * 5000],
        ["--host", "192.168.77.77"],
        ["--host", "0.0.0.0"],
        ["--host", ""],
        ["--host", "127.0.0.1.77777.example"],
    ],
)
def test_an_option_that_cannot_be_is_refused_in_plain_words(options: list[str]) -> None:
    """`--port 99999` was a traceback. No refused value is repeated."""
    ended = blikk_mcp("sandbox", *options)
    assert (ended.returncode in (1, 2), ended.stdout) == (True, "")
    assert "Traceback" not in ended.stderr
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("blikk-mcp sandbox: ")
    if len(options[1]) > 1:  # a 0 is part of the bounds
        assert options[1] not in last
    assert "has to be a" in last or "loopback" in last


def test_a_port_that_is_taken_is_said_in_plain_words() -> None:
    """The commonest mistake with `--port`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = blikk_mcp("sandbox", "--port", str(listener.getsockname()[1]))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines()[-1] == "blikk-mcp sandbox: cannot listen: Address already in use"


@pytest.mark.parametrize(
    ("outcome", "paid", "received", "verdict"),
    [
        ("paid", 1, 1, True),
        ("paid", 2, 2, False),
        ("paid", 2, 1, False),
        ("paid", 1, 2, False),
        ("paid", 0, 1, False),
        ("pending", 1, 1, False),
        ("unknown", 1, 1, False),
    ],
)
def test_the_demo_is_content_only_with_one_payment_for_one_request(
    outcome: str, paid: int, received: int, verdict: bool
) -> None:
    """Its exit code is what CI looks at: the retry with the same key must not have reached the bank."""
    record: dict[str, Any] = {"paid": ["pay_x"] * paid, "received": [{}] * received}
    assert demo.paid_once({"outcome": outcome}, record) is verdict


def test_it_ends_on_ctrl_c() -> None:
    """As a developer ends it."""
    process = subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=LIMIT_SECONDS)[0] == ""
    assert process.returncode == 0
