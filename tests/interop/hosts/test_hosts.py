"""Real agents' programs, each with a scripted model on loopback and the configuration that `blikk-mcp config` writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.hosts.hosts import HOSTS, run_host, write_config
from tests.interop.hosts.model import Say, Script, scripted_model
from tests.interop.hosts.scenarios import SCENARIOS, payments_made
from tests.interop.recorder import revision_spoken
from tests.interop.report import Row, npm_version
from tests.npm import node_with

pytestmark = [pytest.mark.interop, pytest.mark.timeout(400)]

FIVE = ("Claude Code, `-p`", "Codex, `exec`")
"""The hosts in which every scenario is played; the others are shown to pay."""

PLAYED = [(host, scenario) for host in HOSTS for scenario in SCENARIOS if host in FIVE or scenario == "paid"]


@pytest.mark.parametrize(("name", "scenario_name"), PLAYED, ids=[f"{host}-{scenario}" for host, scenario in PLAYED])
def test_an_agents_program_does_what_its_model_is_told_and_the_bank_agrees(
    name: str, scenario_name: str, tmp_path: Path, clients: list[Row]
) -> None:
    """A client is supported when it pays, in an empty home, with what our own command wrote for it."""
    host, scenario = HOSTS[name], SCENARIOS[scenario_name]
    node_with(host.folder)
    write_config(host, tmp_path)
    script = scenario.script()
    made: list[int] = []
    counting = Script([*script.steps[:-1], Say(lambda results: _count(script.steps[-1], results, made))])

    with scripted_model(counting) as base:
        ended = run_host(host, tmp_path, base)

    assert ended.returncode == 0, ended.stderr[-2000:]
    assert counting.failures == []
    assert [result["outcome"] for result in counting.results] == list(scenario.outcomes)
    assert counting.results[-1]["error_code"] in scenario.last_codes
    assert f"It is {scenario.outcomes[-1]}." in ended.stdout
    if scenario.paid is not None:
        assert made[-1] == scenario.paid
    clients.append(Row(name, npm_version(host.folder, host.package), revision_spoken(tmp_path), scenario_name))


def _count(last: object, results: list[dict[str, object]], made: list[int]) -> str:
    # While the host runs, its server and with it the sandbox's bank are still there.
    if any(result["approval_url"] for result in results):
        made.append(payments_made(results))
    assert isinstance(last, Say)
    return last.text(results)
