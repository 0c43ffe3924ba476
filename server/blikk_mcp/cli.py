"""The command line. Each command imports only what it needs, and the server without options not even a parser."""

from __future__ import annotations

import sys

from blikk_mcp import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COMMANDS = {
    "serve": "the MCP server on stdio (what runs without a command)",
    "demo": "one complete payment against a local sandbox: no key, no money",
    "sandbox": "a stand-in for Blikk on loopback, to develop against",
    "doctor": "checks settings, ledger, key and reachability, and says what to fix",
    "config": "the set-up snippet for a client, with no key in it",
    "ledger": "what was paid, and the only way out of an unknown outcome",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments in ([], ["serve"]):
        from blikk_mcp.commands.serve import serve

        return serve()
    return _run_command(arguments)


def _run_command(arguments: list[str]) -> int:
    import importlib

    from blikk_mcp.commands.parser import Parser

    if arguments[0].startswith("-") and arguments[0] not in ("-h", "--help", "--version"):
        arguments.insert(0, "serve")
    parser = Parser(
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
    if parsed.command == "serve":
        return int(parsed.run(parsed))
    _print_on_any_terminal()
    return _unless_nobody_reads(lambda: int(parsed.run(parsed)))


def _unless_nobody_reads(run: Callable[[], int]) -> int:
    """The exit code; 0 if the reader of stdout has seen enough, `head` for one."""
    try:
        code = run()
        sys.stdout.flush()
    except BrokenPipeError:
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what is flushed at the end
        return 0
    return code


def _print_on_any_terminal() -> None:
    """A terminal that knows no `ð` shows another character there, and not a traceback."""
    import io

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
