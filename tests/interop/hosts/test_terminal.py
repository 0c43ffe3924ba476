"""Claude Code in a real terminal of 80 columns: what is on the screen when a person is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from blikk_sandbox.person import approve_now
from tests.interop.hosts.hosts import (
    FAKE_KEY,
    HERE,
    HOSTS,
    PROMPT,
    bare_environment,
    claude_environ,
    claude_program,
    write_config,
)
from tests.interop.hosts.model import Call, Result, Say, Script, scripted_model
from tests.interop.hosts.scenarios import COFFEE, SAY, SCENARIOS, payments_made
from tests.interop.hosts.terminal import Terminal, terminal
from tests.interop.recorder import asked, revision_spoken
from tests.interop.report import Row, npm_version

pytestmark = [pytest.mark.interop, pytest.mark.timeout(400)]

FORGED: dict[str, Any] = {
    **COFFEE,
    "amount": 5900,
    "creditor_name": "Kaffihúsið Kríа ehf.",  # the last letter but "ehf." is Cyrillic
    "creditor_ssn": "120174-3389",
    "creditor_iban": "IS410111260012341201743389",
    "idempotency_key": "host-order-forged",
}


def start(running: Terminal, home: Path, base: str) -> None:
    """Claude Code, past its first-run questions, in manual mode with our tools allowed."""
    write_config(HOSTS["Claude Code, `-p`"], home)
    project = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
    state: dict[str, Any] = {
        "hasCompletedOnboarding": True,
        "theme": "dark",
        "customApiKeyResponses": {"approved": [FAKE_KEY[-20:]], "rejected": []},
        "projects": {str(home): project},
    }
    (home / ".claude.json").write_text(json.dumps(state), encoding="utf-8")
    options = ["--mcp-config", str(home / ".mcp.json"), "--strict-mcp-config", "--permission-mode", "default"]
    command = [str(claude_program()), *options, "--allowedTools", "mcp__blikk"]
    running.start(command, {**bare_environment(home), **claude_environ(base)}, home)
    running.wait_for(lambda screen: "❯" in screen and "manual mode" in screen)


def ask(running: Terminal, text: str) -> None:
    """Type a prompt and send it."""
    running.keys("-l", text)
    running.keys("Enter")


def joined(screen: str) -> str:
    """The screen's words, without the frame's lines and the breaks."""
    return " ".join(screen.replace("│", " ").split())


def paying(results: list[Result]) -> dict[str, Any]:
    """Wait for the payment that the person approves."""
    approve_now(results[-1]["approval_url"])
    return {"payment_id": results[-1]["payment_id"], "human_informed": True}


def awaiting_forged(results: list[Result]) -> dict[str, Any]:
    """Wait for the payment to the forged payee, also if what came of the other one was told after it."""
    created = next(result for result in results if result["idempotency_key"] == FORGED["idempotency_key"])
    return {"payment_id": created["payment_id"]}


def test_amount_payee_and_caution_are_on_the_screen_when_a_link_to_a_forged_payee_is_offered(
    tmp_path: Path, clients: list[Row]
) -> None:
    """Claude Code shows a question one terminal line per line of text and cuts each at the terminal's width."""
    steps = [
        Call("create_payment", lambda results: COFFEE),
        Call("await_payment", paying),
        Call("create_payment", lambda results: FORGED),
        Call("await_payment", awaiting_forged),
        Call("await_payment", awaiting_forged),
        Say(lambda results: f"It is {results[-1]['outcome']}."),
    ]
    script = Script(steps)
    with scripted_model(script) as base, terminal() as running:
        start(running, tmp_path, base)
        ask(running, "Pay both bills.")
        screen = running.wait_for(lambda shown: "wants to open a URL" in shown)
        running.keys("Escape")

    question = screen[screen.index("wants to open a URL") :]
    assert "5,900 ISK" in question
    assert "Kaffihúsið" in question
    # Of eleven lines the first three are shown: the caution stands among them.
    assert "Careful:" in joined(question), question
    # What follows is folded away as a count of lines; of those that are shown none is cut.
    assert "…" not in question.partition("… (+")[0], "a line was cut"
    clients.append(
        Row(
            "Claude Code, terminal",
            npm_version(HERE, "@anthropic-ai/claude-code"),
            revision_spoken(tmp_path),
            "the URL question for a forged payee, 80 columns",
        )
    )


def test_a_model_whose_turn_is_over_is_woken_when_the_person_has_approved(tmp_path: Path, clients: list[Row]) -> None:
    """Claude Code takes a wait as a task (SEP-2663): the turn ends, and what the bank says begins another."""
    script = Script(
        [
            Call("create_payment", lambda results: COFFEE),
            Call("await_payment", lambda results: {"payment_id": results[-1]["payment_id"], "human_informed": True}),
            SAY,
        ]
    )
    with scripted_model(script) as base, terminal() as running:
        start(running, tmp_path, base)
        ask(running, "Please pay the coffee.")
        running.wait_for(lambda shown: "It is needs_human." in shown and "1 MCP task" in shown)
        approve_now(script.results[0]["approval_url"])
        running.wait_for(lambda shown: "It is paid." in shown)
        made = payments_made(script.results)

    assert [result["outcome"] for result in script.results] == ["needs_human", "paid"]
    assert (made, script.failures) == (1, [])
    called = [sent["params"]["name"] for sent in asked(tmp_path) if sent.get("method") == "tools/call"]
    assert called == ["create_payment", "await_payment"]
    assert any(sent.get("method") == "tasks/get" for sent in asked(tmp_path))
    clients.append(
        Row(
            "Claude Code, terminal",
            npm_version(HERE, "@anthropic-ai/claude-code"),
            revision_spoken(tmp_path),
            "a wait as a task: the model is woken when the person has approved",
        )
    )


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_person_at_a_terminal_gets_what_the_bank_says(name: str, tmp_path: Path, clients: list[Row]) -> None:
    """The five scenarios of `-p`, where somebody can be asked and a wait goes on behind the model's turn."""
    scenario = SCENARIOS[name]
    script = scenario.script()
    with scripted_model(script) as base, terminal() as running:
        start(running, tmp_path, base)
        ask(running, PROMPT)
        if name == "another key":
            running.wait_for(lambda shown: "Do you want to pay it a second time?" in joined(shown))
            running.keys("Escape")
        running.wait_for(lambda shown: "It is " in shown and set(scenario.outcomes) <= outcomes(script))
        made = None if scenario.paid is None else payments_made(script.results)

    assert (made, script.failures) == (scenario.paid, [])
    refused = [result["error_code"] for result in script.results if result["outcome"] == "refused"]
    assert set(refused) <= set(scenario.last_codes)
    assert outcomes(script) <= {*scenario.outcomes, "pending"}
    version = npm_version(HERE, "@anthropic-ai/claude-code")
    clients.append(Row("Claude Code, terminal", version, revision_spoken(tmp_path), name))


def outcomes(script: Script) -> set[str]:
    """What the model has been told so far."""
    return {result["outcome"] for result in script.results}
