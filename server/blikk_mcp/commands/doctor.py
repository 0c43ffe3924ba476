"""`blikk-mcp doctor`: is everything in place to pay, and if not, what has to be corrected."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Mapping
from importlib import metadata

import anyio

from blikk_mcp import __version__
from blikk_mcp.commands import checks
from blikk_mcp.commands.checks import Finding
from blikk_mcp.commands.client_settings import Given, given_by, runs
from blikk_mcp.commands.clients import CLIENTS, KEY
from blikk_mcp.commands.config_files import CannotChange
from blikk_mcp.commands.openapi import compare_schema
from blikk_mcp.commands.terminal import Terminal
from blikk_mcp.redaction.process import redactor_of
from blikk_mcp.redaction.redactor import Redactor
from blikk_mcp.settings import table
from blikk_mcp.settings.settings import raw_secrets, read_settings
from blikk_mcp.settings.values import SettingsError
from blikk_payments.system import PLATFORM

__all__ = ["compare_schema", "configure", "run"]

MARKS = {"ok": ("✓", "green"), "note": ("!", "yellow"), "fix": ("✗", "bold red")}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    clients = [name for name in CLIENTS if name != "other"]
    parser.add_argument(
        "client",
        nargs="?",
        choices=clients,
        metavar="CLIENT",
        help=f"check what this client's own configuration gives the server: {', '.join(clients)}",
    )
    parser.add_argument(
        "--report", action="store_true", help="for a support ticket: versions and the names of what is set, no values"
    )
    parser.add_argument("--verify", action="store_true", help="read the ledger's whole history, too")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check everything and print what was found; 0 if nothing has to be corrected."""
    environ = dict(os.environ)
    redactor = redactor_of(*raw_secrets(environ))
    findings: list[Finding] = []
    given: Given | None = None
    if arguments.client:
        try:
            given = given_by(arguments.client, PLATFORM, environ)
        except CannotChange as error:
            return _print([Finding("fix", str(error))], redactor)
        findings = _of_client(arguments.client, given, environ)
        environ = {name: value for name, value in environ.items() if not name.startswith(table.PREFIX)}
        environ |= given.environment
        redactor = redactor_of(*raw_secrets(os.environ), *raw_secrets(environ))
    if arguments.report:
        _print_facts(environ, redactor)
    if given and any(word.startswith("--sandbox") for word in given.command):
        findings.append(Finding("ok", "it runs with a sandbox: no key, no real money"))
        return _print(findings, redactor)
    return _check(environ, findings, redactor, arguments, key_is_kept=bool(given and KEY in given.kept))


def _check(
    environ: dict[str, str],
    findings: list[Finding],
    redactor: Redactor,
    arguments: argparse.Namespace,
    *,
    key_is_kept: bool,
) -> int:
    named = not arguments.report
    try:
        settings = read_settings(environ, need_key=not key_is_kept)
    except SettingsError as error:
        return _print([*findings, *(Finding("fix", str(problem)) for problem in error.problems)], redactor)
    redactor = redactor_of(*raw_secrets(environ), *settings.secrets, *raw_secrets(os.environ))
    findings += [
        Finding("ok", f"settings: {settings.environment}, {settings.base_url}"),
        *(Finding("note", notice) for notice in settings.notices),
        *checks.surroundings(settings, environ, named=named),
        *checks.ledger(settings, verify=arguments.verify, named=named),
    ]
    if key_is_kept:
        findings.append(Finding("note", "the client keeps the key to itself: whether Blikk accepts it was not checked"))
    else:
        findings += anyio.run(checks.blikk, settings, redactor.text)
    return _print(findings, redactor)


def _of_client(name: str, given: Given, environ: Mapping[str, str]) -> list[Finding]:
    """What the client's file says of itself, and where this shell says otherwise."""
    findings = [Finding("ok", f"{CLIENTS[name].title}: {given.file}")]
    if wrong := runs(given.command):
        findings.append(Finding("fix", f"it {wrong}: see `blikk-mcp config {name}`"))
    differ = [
        setting
        for setting in table.NAMES
        if environ.get(setting) and setting not in given.kept and environ[setting] != given.environment.get(setting)
    ]
    if differ:
        findings.append(Finding("note", f"set in this shell, and not or otherwise for the client: {', '.join(differ)}"))
    if given.file.name == ".mcp.json":
        findings.append(
            Finding("note", "Claude Code starts a project's servers only once you have approved them: /mcp")
        )
    return findings


def _print_facts(environ: Mapping[str, str], redactor: Redactor) -> None:
    """What a supporter needs to know of this machine, and nothing that identifies anybody."""
    facts = {
        "blikk-mcp": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        **{name: metadata.version(name) for name in ("mcp", "httpx", "pydantic", "anyio")},
        "settings that are set": ", ".join(name for name in table.NAMES if name in environ) or "none",
    }
    terminal = Terminal(redactor.text)
    for name, value in facts.items():
        terminal.line(f"{name}: {value}")


def _print(findings: list[Finding], redactor: Redactor) -> int:
    terminal = Terminal(redactor.text)
    for finding in findings:
        mark, style = MARKS[finding.mark]
        terminal.marked(mark, finding.what, style)
    return 1 if any(finding.mark == "fix" for finding in findings) else 0
