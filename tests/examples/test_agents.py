"""Every agent example runs to `paid` as its first lines say, with its framework's own model for tests."""

from __future__ import annotations

import re

import pytest

from tests.examples.environments import EXAMPLES, python_of, run
from tests.npm import node_with

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

FRAMEWORKS = ["claude", "openai", "pydantic-ai", "langchain"]


def check(output: str) -> None:
    """The person was told what to approve, the agent says that it is paid, and the bank paid once."""
    told, ended = output.split("How did the payment end?")
    assert "1,500 ISK" in told
    assert re.search(r"http://127\.0\.0\.1:[0-9]+/bank/approve/", told)
    assert "Paid: 1,500 ISK" in ended
    assert "The bank made 1 payment(s)." in ended


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_an_agent_pays_once(name: str) -> None:
    """Each example ends in `paid`, with the framework's time-outs set so that a wait is a wait."""
    ended = run(python_of(name), f"agent_examples/{name.replace('-', '_')}_agent.py")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    check(ended.stdout)


@pytest.mark.node
def test_the_agent_of_the_ai_sdk_pays_once() -> None:
    """The same from Node.js."""
    ended = run(node_with(EXAMPLES), "agent_examples/ai_sdk_agent.mjs")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    check(ended.stdout)


def test_the_terminal_host_shows_all_that_a_server_can_ask() -> None:
    """Tools, approval, a form, a link with a code for the phone, progress, and `paid` at the end."""
    ended = run(python_of("terminal"), "agent_examples/terminal_host.py", "--auto", COLUMNS="200")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for part in (
        "Let create_payment run",
        "Do you want to make this payment?",
        "▄▄▄",
        "/bank/approve/",
        "… ",
        '"paid"',
    ):
        assert part in ended.stdout
    assert "The bank made 1 payment(s)." in ended.stdout


@pytest.mark.parametrize("name", [*FRAMEWORKS, "terminal"])
def test_a_lock_names_no_host_and_has_a_hash_for_everything(name: str) -> None:
    """Where packages come from is the installer's affair; what they are is ours."""
    lock = (EXAMPLES / f"requirements-{name}.lock").read_text()
    assert "://" not in lock
    packages = re.findall(r"^[a-z0-9][^\n]*==", lock, re.M)
    assert packages
    assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=[a-z0-9])", lock.strip()))


def test_the_readme_names_the_version_that_the_lock_has() -> None:
    """A table of versions that were tried is worth nothing once the lock has others."""
    readme = (EXAMPLES / "README.md").read_text()
    for name, package in (
        ("claude", "anthropic"),
        ("openai", "openai-agents"),
        ("pydantic-ai", "pydantic-ai-slim"),
        ("langchain", "langchain-mcp-adapters"),
    ):
        lock = (EXAMPLES / f"requirements-{name}.lock").read_text()
        (version,) = re.findall(rf"^{package}==([0-9.]+)", lock, re.M)
        assert f"{package} {version}" in readme
    assert re.search(r"ai 6\.0\.326", readme)
    assert '"ai": "6.0.326"' in (EXAMPLES / "package.json").read_text()
