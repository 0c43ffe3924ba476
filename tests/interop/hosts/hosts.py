"""Support: agents' programs from npm, each in an empty home, with the configuration that `blikk-mcp config` writes."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tests.interop.codex.app_server import HERE as CODEX_HERE
from tests.interop.codex.app_server import installed_codex
from tests.interop.node import SERVER
from tests.interop.recorder import recorded_server
from tests.missing import unavailable
from tests.npm import node_with

HERE = Path(__file__).parent
RUN_SECONDS = 180
FAKE_KEY = "no-key-the-model-plays-a-script-000"
PROMPT = "Please pay the coffee: 4,900 ISK."


@dataclass(frozen=True)
class Host:
    """How to start one agent's program with a prompt, against a model at `base`."""

    name: str
    config_name: str
    folder: Path
    package: str
    prepare: Callable[[Path, str], None]
    command: Callable[[Path], list[str]]
    environ: Callable[[str], dict[str, str]]


def bare_environment(home: Path) -> dict[str, str]:
    """An empty home and nothing of ours: no `BLIKK_*`, no key of anybody's."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "TERM": "xterm-256color"}


def write_config(host: Host, home: Path) -> None:
    """Let `blikk-mcp config CLIENT --sandbox --write` make the client's file, then record what passes on the wire."""
    ended = subprocess.run(
        [SERVER, "config", host.config_name, "--sandbox", "--write"],
        env=bare_environment(home),
        cwd=home,
        capture_output=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    written = [path for path in home.rglob("*") if path.is_file() and SERVER in path.read_text(encoding="utf-8")]
    assert written, "config --write left no file that names the server"
    recorder = recorded_server(home)
    for path in written:
        path.write_text(path.read_text(encoding="utf-8").replace(SERVER, recorder), encoding="utf-8")


def run_host(host: Host, home: Path, base: str) -> subprocess.CompletedProcess[str]:
    """Run the agent with the prompt until it ends."""
    host.prepare(home, base)
    return subprocess.run(
        host.command(home),
        env={**bare_environment(home), **host.environ(base)},
        cwd=home,
        capture_output=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        timeout=RUN_SECONDS,
        check=False,
    )


def claude_program() -> Path:
    """Claude Code's own program."""
    node_with(HERE)
    found = sorted((HERE / "node_modules" / "@anthropic-ai").glob("claude-code-*/claude"))
    return found[0] if found else unavailable("Claude Code has no program for this machine")


def _opencode_program() -> Path:
    node_with(HERE)
    found = sorted((HERE / "node_modules").glob("opencode-*/bin/opencode"))
    # The one without suffix first: "baseline" is for old processors, "musl" for another libc.
    return min(found, key=lambda path: len(str(path))) if found else unavailable("opencode has no program here")


def _merged(path: Path, **more: Any) -> None:
    held = cast(dict[str, Any], json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**held, **more}), encoding="utf-8")


def _claude_command(home: Path) -> list[str]:
    options = ["--mcp-config", str(home / ".mcp.json"), "--strict-mcp-config", "--allowedTools", "mcp__blikk"]
    return [str(claude_program()), "-p", PROMPT, *options, "--output-format", "json"]


def claude_environ(base: str) -> dict[str, str]:
    """A scripted model, and nothing that goes anywhere else."""
    return {
        "ANTHROPIC_BASE_URL": base,
        "ANTHROPIC_API_KEY": FAKE_KEY,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_AUTOUPDATER": "1",
    }


def _prepare_gemini(home: Path, base: str) -> None:
    _merged(
        home / ".gemini" / "settings.json",
        security={"auth": {"selectedType": "gemini-api-key"}},
        privacy={"usageStatisticsEnabled": False},
        telemetry={"enabled": False},
        general={"disableAutoUpdate": True},
    )


def _gemini_command(home: Path) -> list[str]:
    program = HERE / "node_modules" / "@google" / "gemini-cli" / "bundle" / "gemini.js"
    if not program.exists():
        program = HERE / "node_modules" / ".bin" / "gemini"
    return [node_with(HERE), str(program), "-p", PROMPT, "-m", "gemini-2.5-flash", "--yolo", "--skip-trust"]


def _prepare_opencode(home: Path, base: str) -> None:
    (path,) = [path for path in home.rglob("opencode.json*") if path.is_file()]
    options = {"baseURL": f"{base}/v1", "apiKey": FAKE_KEY}
    provider: dict[str, Any] = {"npm": "@ai-sdk/openai-compatible", "options": options, "models": {"one": {}}}
    _merged(path, autoupdate=False, share="disabled", model="scripted/one", provider={"scripted": provider})


def _prepare_codex(home: Path, base: str) -> None:
    path = home / ".codex" / "config.toml"
    written = path.read_text(encoding="utf-8")
    tomllib.loads(written)
    head = (
        'check_for_update_on_startup = false\nmodel = "scripted"\nmodel_provider = "scripted"\n'
        'approval_policy = "never"\nsandbox_mode = "danger-full-access"\n'
    )
    tail = (
        f'\n[analytics]\nenabled = false\n[features]\nplugins = false\n[model_providers.scripted]\nname = "scripted"\n'
        f'base_url = "{base}/v1"\nwire_api = "responses"\nsupports_websockets = false\n'
    )
    # Codex starts a first turn without a server that is not ready yet; here the turn is all there is.
    required = written.replace("[mcp_servers.blikk]", "[mcp_servers.blikk]\nrequired = true")
    path.write_text(head + required + tail, encoding="utf-8")


HOSTS = {
    "Claude Code, `-p`": Host(
        "Claude Code, `-p`",
        "claude-code",
        HERE,
        "@anthropic-ai/claude-code",
        lambda home, base: None,
        _claude_command,
        claude_environ,
    ),
    "Codex, `exec`": Host(
        "Codex, `exec`",
        "codex",
        CODEX_HERE,
        "@openai/codex",
        _prepare_codex,
        lambda home: [str(installed_codex()), "exec", "--json", "--skip-git-repo-check", PROMPT],
        lambda base: {},
    ),
    "Gemini CLI": Host(
        "Gemini CLI",
        "gemini",
        HERE,
        "@google/gemini-cli",
        _prepare_gemini,
        _gemini_command,
        lambda base: {"GOOGLE_GEMINI_BASE_URL": base, "GEMINI_API_KEY": FAKE_KEY, "GEMINI_TELEMETRY_ENABLED": "false"},
    ),
    "opencode": Host(
        "opencode",
        "opencode",
        HERE,
        "opencode-ai",
        _prepare_opencode,
        lambda home: [str(_opencode_program()), "run", "--format", "json", PROMPT],
        lambda base: {
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
            "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
        },
    ),
}
