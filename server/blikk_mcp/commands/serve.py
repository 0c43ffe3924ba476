"""`blikk-mcp serve`: the MCP server on stdio.

Nothing is loaded here that the front door does not need: the server itself is in `blikk_mcp.serving`.
"""

from __future__ import annotations

import os

from blikk_mcp.settings.door import door_settings
from blikk_mcp.stderr import queue_stderr
from blikk_mcp.transports.front_door import FrontDoor, Handover, read_answers
from blikk_mcp.transports.wire import claim_standard_streams
from blikk_payments.system.limits import forbid_core_dumps
from blikk_payments.system.signals import exit_on_signals

SANDBOX_IDLE_SECONDS = 0.2

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    sandbox = parser.add_mutually_exclusive_group()
    sandbox.add_argument(
        "--sandbox",
        action="store_true",
        help="pay into a sandbox of its own on loopback: no key, no real money",
    )
    sandbox.add_argument(
        "--sandbox-at",
        type=_sandbox_address,
        metavar="URL",
        help="pay into a sandbox that runs already (`blikk-mcp sandbox`), which several processes can share",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until the client hangs up."""
    return serve(sandbox=arguments.sandbox, sandbox_at=arguments.sandbox_at)


def serve(*, sandbox: bool = False, sandbox_at: str | None = None) -> int:
    """Serve until the client hangs up: at the door first, and by the SDK's server once there is something for it."""
    forbid_core_dumps()
    exit_on_signals()
    stderr = queue_stderr()
    wire = claim_standard_streams()
    wire.start()
    settings = door_settings(os.environ)
    answers = read_answers(settings) if settings else None
    # An own sandbox has a developer beside the client, who may want to set a fault before the first call.
    idle_seconds = SANDBOX_IDLE_SECONDS if sandbox else None
    handover = FrontDoor(wire, answers).serve(idle_seconds) if answers else Handover()
    if handover is None:
        return 0
    from blikk_mcp.serving import serve_mcp
    from blikk_mcp.settings.settings import take_environment

    return serve_mcp(wire, handover, stderr, take_environment(os.environ), sandbox=sandbox, sandbox_at=sandbox_at)


def _sandbox_address(text: str) -> str:
    import argparse

    from blikk_mcp.sandboxed import loopback_origin

    try:
        return loopback_origin(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
