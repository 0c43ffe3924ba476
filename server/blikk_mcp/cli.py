"""The command line. Each command imports only what it needs: `--version` must not load an MCP SDK."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from blikk_mcp import __version__

COMMANDS = {
    "serve": "the MCP server on stdio (what runs without a command)",
    "demo": "the main job, played once from end to end against the embedded sandbox",
    "sandbox": "a stand-in for Blikk on loopback, to develop against",
    "doctor": "checks settings, ledger, key and reachability, and says what to fix",
    "config": "the set-up snippet for a client, with no key in it",
    "ledger": "what was paid, and the only way out of an unknown outcome",
}


class _Parser(argparse.ArgumentParser):
    """Complains without repeating the key, should somebody give it on the command line."""

    def error(self, message: str) -> NoReturn:
        from blikk_mcp.redaction.process import redactor_of

        super().error(redactor_of(os.environ.get("BLIKK_API_KEY", "")).text(message))


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help", "--version")):
        arguments.insert(0, "serve")
    parser = _Parser(
        prog="blikk-mcp",
        description="Account-to-account payments over Blikk, for AI agents, with a person's approval.",
    )
    parser.add_argument("--version", action="version", version=f"blikk-mcp {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = next((word for word in arguments if word in COMMANDS), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if name == chosen:
            importlib.import_module(f"blikk_mcp.commands.{name}").configure(command)
    parsed = parser.parse_args(arguments)
    return int(parsed.run(parsed))


if __name__ == "__main__":
    sys.exit(main())
