"""`blikk-mcp sandbox`: the stand-in for Blikk alone, for developers and evaluations."""

from __future__ import annotations

import argparse
import json
import os
import sys

import anyio

from blikk_mcp.commands.parser import factor, whole
from blikk_mcp.settings import table
from blikk_payments.system.loop_signals import signals_received
from blikk_payments.system.shell import setting_line

PORTS = (0, 65_535)
SPEEDS = (0.001, 1_000_000.0)
LINK_SECONDS = (0.001, 10 * 365 * 86_400.0)
SEEDS = (0, 2**63 - 1)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--host", default="127.0.0.1", help="an address of this machine (default 127.0.0.1)")
    parser.add_argument("--port", type=whole(*PORTS), default=0, metavar="N", help="0 takes any free port (default)")
    parser.add_argument(
        "--speed",
        type=factor(*SPEEDS),
        default=1.0,
        metavar="N",
        help="how many times faster the bank is than usual; a person has the same time",
    )
    parser.add_argument(
        "--link-seconds",
        type=factor(*LINK_SECONDS),
        metavar="N",
        help="how long an approval link lives (default 120, with onboarding 300)",
    )
    parser.add_argument(
        "--seed",
        type=whole(*SEEDS),
        metavar="N",
        help="the same number and the same requests give the same key, ids and links",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; one line of JSON on stdout says where and with which key."""
    try:
        return anyio.run(_serve, arguments)
    except ValueError as error:
        return _refuse(str(error))
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else "there is no such address here"
        return _refuse(f"cannot listen: {reason}")
    except KeyboardInterrupt:  # before it listened
        return 0


async def _serve(arguments: argparse.Namespace) -> int:
    from blikk_sandbox.running import run_sandbox

    async with run_sandbox(
        host=arguments.host,
        port=arguments.port,
        speed=arguments.speed,
        link_seconds=arguments.link_seconds,
        seed=arguments.seed,
    ) as running:
        # The key opens nothing but this sandbox, which forgets it with everything else when it ends.
        sys.stderr.write(
            f"# the sandbox's control API: {running.control_url}\n"
            + setting_line(table.BASE_URL.name, running.base_url)
            + setting_line(table.API_KEY.name, running.api_key)
        )
        sys.stderr.flush()
        line = {"base_url": running.base_url, "api_key": running.api_key, "control_url": running.control_url}
        with signals_received() as next_signal:
            _say(line)
            await next_signal()
    return 0


def _say(line: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _refuse(reason: str) -> int:
    sys.stderr.write(f"blikk-mcp sandbox: {reason}\n")
    return 1
