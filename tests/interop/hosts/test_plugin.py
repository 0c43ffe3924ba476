"""The plugin, installed by the hosts' own commands from this repository into an empty home, and paid through."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from blikk_sandbox.running import RunningSandbox
from tests.interop.codex.app_server import installed_codex
from tests.interop.hosts.hosts import (
    CODEX_HERE,
    FAKE_KEY,
    HERE,
    HOSTS,
    PROMPT,
    RUN_SECONDS,
    bare_environment,
    claude_environ,
    claude_program,
)
from tests.interop.hosts.model import Call, scripted_model
from tests.interop.hosts.scenarios import SCENARIOS
from tests.interop.report import Row, npm_version
from tests.npm import node_with
from tests.sandbox_control import paid
from tests.server.running import environment

pytestmark = [pytest.mark.interop, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[3]
PLUGIN = ROOT / "packaging" / "plugin"
MARKETPLACE = ["plugin", "marketplace", "add", str(ROOT)]
SCRIPTS = sysconfig.get_path("scripts")


@dataclass(frozen=True)
class Installer:
    """How one host installs the plugin, says that it has it, and is given a prompt."""

    host: str
    program: Callable[[], list[str]]
    prepare: Callable[[Path, str], None]
    install: tuple[list[str], ...]
    listed: list[str]
    prompt: list[str]
    environ: Callable[[str], Mapping[str, str]]


def _gemini() -> list[str]:
    node = node_with(HERE)
    return [node, str(HERE / "node_modules" / "@google" / "gemini-cli" / "bundle" / "gemini.js")]


def _prepare_gemini(home: Path, base: str) -> None:
    settings = {
        # It asks whether the folder that the extension comes from is trusted, which nobody here can answer.
        "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
        "general": {"disableAutoUpdate": True},
    }
    (home / ".gemini").mkdir()
    (home / ".gemini" / "settings.json").write_text(json.dumps(settings), encoding="utf-8")


def _prepare_codex(home: Path, base: str) -> None:
    (home / ".codex").mkdir()
    (home / ".codex" / "config.toml").write_text(
        'check_for_update_on_startup = false\nmodel = "scripted"\nmodel_provider = "scripted"\n'
        'approval_policy = "never"\nsandbox_mode = "danger-full-access"\n[analytics]\nenabled = false\n'
        f'[model_providers.scripted]\nname = "scripted"\nbase_url = "{base}/v1"\nwire_api = "responses"\n'
        "supports_websockets = false\n",
        encoding="utf-8",
    )


INSTALLERS = {
    "Claude Code, `-p`": Installer(
        "Claude Code, `-p`",
        lambda: [str(claude_program())],
        lambda home, base: None,
        (["plugin", "validate", str(PLUGIN)], MARKETPLACE, ["plugin", "install", "blikk-mcp@blikk"]),
        ["plugin", "list"],
        ["-p", PROMPT, "--allowedTools", "mcp__plugin_blikk-mcp_blikk", "--output-format", "json"],
        claude_environ,
    ),
    "Codex, `exec`": Installer(
        "Codex, `exec`",
        lambda: [str(installed_codex())],
        _prepare_codex,
        (MARKETPLACE, ["plugin", "add", "blikk-mcp@blikk"]),
        ["mcp", "list"],
        ["exec", "--json", "--skip-git-repo-check", PROMPT],
        lambda base: {},
    ),
    "Gemini CLI": Installer(
        "Gemini CLI",
        _gemini,
        _prepare_gemini,
        (
            ["extensions", "validate", str(PLUGIN)],
            ["extensions", "install", str(PLUGIN), "--consent", "--skip-settings"],
        ),
        ["extensions", "list"],
        ["-p", PROMPT, "-m", "gemini-2.5-flash", "--yolo", "--skip-trust"],
        lambda base: {"GOOGLE_GEMINI_BASE_URL": base, "GEMINI_API_KEY": FAKE_KEY, "GEMINI_TELEMETRY_ENABLED": "false"},
    ),
}


def run(installer: Installer, home: Path, environ: Mapping[str, str], arguments: list[str]) -> str:
    """What the host's program says, after it ended well."""
    ended = subprocess.run(
        [*installer.program(), *arguments],
        env={**bare_environment(home), "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}", **environ},
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=RUN_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, (arguments, ended.stdout[-1000:], ended.stderr[-1000:])
    return ended.stdout + ended.stderr


@pytest.mark.parametrize("name", INSTALLERS)
def test_a_host_installs_the_plugin_and_pays_through_it(
    name: str, sandbox: RunningSandbox, tmp_path: Path, clients: list[Row]
) -> None:
    """What its own command installs starts, with the settings of the shell, and brings the skill."""
    installer, scenario = INSTALLERS[name], SCENARIOS["paid"]
    host = HOSTS[name]
    node_with(CODEX_HERE if "Codex" in name else HERE)
    home = tmp_path / "home"
    home.mkdir()
    script = scenario.script()
    if "Claude" in name:
        # It goes on before a plugin's server is there, and tells its model to look for tools that it misses.
        script.steps.insert(0, Call("ToolSearch", lambda results: {"query": "blikk payment", "max_results": 5}))

    with scripted_model(script) as base:
        installer.prepare(home, base)
        environ = {**installer.environ(base), **environment(sandbox, tmp_path)}
        for arguments in installer.install:
            run(installer, home, environ, arguments)
        assert "blikk" in run(installer, home, environ, installer.listed)
        said = run(installer, home, environ, installer.prompt)

    assert script.failures == []
    assert [result["outcome"] for result in script.results] == list(scenario.outcomes)
    assert "It is paid." in said
    assert len(paid(sandbox)) == scenario.paid
    assert "pay-a-bill" in script.shown
    clients.append(Row(name, npm_version(host.folder, host.package), "–", "the plugin, installed and paid through"))
