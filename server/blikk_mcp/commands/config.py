"""`blikk-mcp config CLIENT`: the set-up for a client, with no key in it."""

from __future__ import annotations

import argparse
import difflib
import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from blikk_mcp.commands.client_settings import stated_in
from blikk_mcp.commands.clients import CALL_SECONDS, CLIENTS, KEY, KEY_FILE, Client, Server, is_packaged
from blikk_mcp.commands.config_files import CannotChange, changed, read_text, write
from blikk_mcp.commands.parser import agreed
from blikk_mcp.sandboxed import REAL_LEDGER, REAL_WORLD
from blikk_mcp.settings import table
from blikk_mcp.settings.placeholders import holds_placeholder
from blikk_payments.ledger.location import password_in
from blikk_payments.system import PLATFORM

NOT_IN_A_SANDBOX = frozenset(setting.name for setting in REAL_WORLD | REAL_LEDGER)
PATHS = frozenset({KEY_FILE, table.LEDGER_PASSWORD_FILE.name})
SPARE_SECONDS = 15
READABLE_BY_YOU = "where only you can read it" if PLATFORM == "win32" else "readable by you only (chmod 600)"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    known = ", ".join(CLIENTS)
    parser.add_argument("client", choices=list(CLIENTS), metavar="CLIENT", help=f"{known}; `other` for the rest")
    parser.add_argument("--sandbox", action="store_true", help="with a sandbox of its own: no key, no real money")
    parser.add_argument(
        "--write", action="store_true", help="put it into the client's own file, after showing the change"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the snippet on stdout and what there is to say on stderr; with `--write`, change the client's file."""
    client = CLIENTS[arguments.client]
    server, notes = server_for(client, os.environ, sandbox=arguments.sandbox)
    paths = client.paths(PLATFORM, os.environ)
    if paths and is_packaged(paths[0]) and table.LEDGER.name not in server.environment and not arguments.sandbox:
        notes.append(
            f"{client.title} is a Windows package, which may see another AppData than your other programs: then it has "
            "a ledger of its own. Set BLIKK_LEDGER to a file elsewhere, for every client, and run this again."
        )
    for note in notes:
        _tell(note)
    if arguments.write:
        return _write(client, server, paths)
    if paths:
        _tell(f"Put this into {client.title}: {paths[0]}.")
        _tell(f"`blikk-mcp doctor {arguments.client}` then says whether all is well.")
    else:
        _tell("Put this into your client's list of MCP servers.")
    sys.stdout.write(f"{client.snippet(server)}\n")
    return 0


def server_for(client: Client, environ: Mapping[str, str], *, sandbox: bool) -> tuple[Server, list[str]]:
    """What this client has to start, given the settings that are set now; and what somebody should know of it."""
    command, *arguments = command_line()
    notes: list[str] = []
    values = _values(environ, notes)
    if sandbox:
        values = {name: value for name, value in values.items() if name not in NOT_IN_A_SANDBOX}
        arguments.append("--sandbox")
    elif KEY_FILE not in values:
        if client.reference:
            values = {KEY: client.reference.replace("NAME", KEY), **values}
        elif client.format != "toml":
            file = Path("~/.blikk-key").expanduser()
            values = {KEY_FILE: str(file), **values}
            notes.append(f"{client.title} fills in no variables: put the key into {file}, {READABLE_BY_YOU}.")
    names = tuple(name for name in table.NAMES if not sandbox or name not in NOT_IN_A_SANDBOX)
    waits = values.get(table.MAX_WAIT_SECONDS.name, "")
    call_seconds = max(CALL_SECONDS, int(waits) + SPARE_SECONDS) if waits else CALL_SECONDS
    return Server(command, tuple(arguments), values, not sandbox, names, call_seconds), notes


def command_line() -> list[str]:
    """The command that starts this very installation, by its absolute path: clients with a window have no PATH."""
    called = Path(sys.argv[0])
    suffix = ".exe" if PLATFORM == "win32" else ""
    beside = Path(sysconfig.get_path("scripts")) / f"blikk-mcp{suffix}"
    found = shutil.which("blikk-mcp")
    for candidate in (called if called.stem == "blikk-mcp" else None, beside, Path(found) if found else None):
        if candidate is not None and candidate.is_file():
            return [str(candidate.absolute())]
    return [sys.executable, "-P", "-m", "blikk_mcp.cli"]


def _values(environ: Mapping[str, str], notes: list[str]) -> dict[str, str]:
    """The settings that are set, without the key and without what cannot be meant."""
    values: dict[str, str] = {}
    key = environ.get(KEY, "").strip()
    for setting in table.SETTINGS:
        text = environ.get(setting.name, "").strip()
        if not text or setting.name == KEY:
            continue
        try:
            if holds_placeholder(text):
                raise ValueError("is still a placeholder")
            setting.parse(text)
            if (key and key in text) or (setting == table.LEDGER and password_in(text)):
                raise ValueError("holds a secret, which belongs into no client's file")
        except ValueError as error:
            notes.append(f"{setting.name} is left out: it {error}")
        else:
            values[setting.name] = str(Path(text).expanduser().absolute()) if setting.name in PATHS else text
    for name in environ:
        if name.startswith(table.PREFIX) and name not in table.NAMES:
            notes.append("a BLIKK_ name that is no setting is left out; `blikk-mcp doctor` names it")
    return values


def _write(client: Client, server: Server, paths: list[Path]) -> int:
    if not paths:
        _tell(
            "There is no file to write for a client that is not known: paste the snippet that is printed without --write."
        )
        return 1
    path = paths[0]
    asks = bool(client.beside) and client.reference in server.environment.values()
    try:
        before = read_text(path)
        kept = _kept(stated_in(client, before), server)
        given = replace(server, environment={**server.environment, **kept}, kept=kept)
        after = changed(client, before, client.entry(given), with_inputs=asks)
        if kept:
            _tell(f"Kept as the file has them, since they are not set here: {', '.join(kept)}.")
        if after == before:
            _tell(f"{path} has it already: nothing to change.")
            return 0
        # On stdout, as the snippet: it may hold numbers of people, which are kept off stderr.
        difference = difflib.unified_diff(before.splitlines(), after.splitlines(), str(path), str(path), "", "", 0, "")
        sys.stdout.write("\n".join((*difference, "")))
        if sys.stdin.isatty() and not agreed("Write this?"):
            _tell("Nothing was changed.")
            return 1
        backup = write(path, after)
    except CannotChange as error:
        _tell(f"{path} was left alone: {error}. Put this into it yourself:")
        sys.stdout.write(f"{client.snippet(server)}\n")
        return 1
    _tell(f"Written: {path}" + (f"; what it was is in {backup}" if backup else ""))
    return 0


def _kept(stated: Mapping[str, str], server: Server) -> dict[str, str]:
    """The settings of the file that are not set now: a limit or a list of creditors must not be lost by the way.

    The key is not among them: there is one way to it, and that is the new one.
    """
    left_out = {KEY, KEY_FILE} if server.needs_key else NOT_IN_A_SANDBOX
    known = (name for name in stated if name in table.NAMES and name not in left_out)
    return {name: stated[name] for name in known if name not in server.environment}


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
