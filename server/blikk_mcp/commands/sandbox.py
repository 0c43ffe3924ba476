"""`blikk-mcp sandbox`: the stand-in for Blikk alone, for developers and evaluations."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys

import anyio

from blikk_mcp.redaction.process import redactor_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--host", default="127.0.0.1", help="an address of this machine (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port (default)")
    parser.add_argument("--speed", type=float, default=1.0, help="how many times faster the bank is than usual")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; one line of JSON on stdout says where and with which key."""
    try:
        return anyio.run(_serve, arguments.host, arguments.port, arguments.speed)
    except (OSError, ValueError) as error:
        redact = redactor_of(os.environ.get("BLIKK_API_KEY", "")).text
        sys.stderr.write(redact(f"blikk-mcp sandbox: {error}\n"))
        return 1


async def _serve(host: str, port: int, speed: float) -> int:
    from blikk_sandbox.running import run_sandbox

    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with run_sandbox(host=host, port=port, speed=speed) as running:
            # The key opens nothing but this sandbox, which forgets it with everything else when it ends.
            line = {
                "base_url": running.base_url,
                "api_key": running.api_key,
                "control_url": running.control_url,
            }
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
            async for _ in signals:
                break
    return 0
