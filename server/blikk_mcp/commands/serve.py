"""`blikk-mcp serve`: the MCP server on stdio."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
import tempfile
from collections.abc import AsyncGenerator, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from blikk_mcp.logs import log_event, start_logging
from blikk_mcp.redaction.process import guard_process, redactor_of
from blikk_mcp.redaction.redactor import Redactor
from blikk_mcp.settings.settings import Settings, log_settings, read_settings
from blikk_mcp.settings.values import Environment, SettingsError

logger = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--sandbox",
        action="store_true",
        help="pay into a sandbox of its own on loopback: no key, no real money",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until the client hangs up."""
    # Hardly anything that is made while the modules load is garbage: looking for some is a tenth of the start.
    gc.disable()
    from blikk_mcp.app import running_app
    from blikk_mcp.transports.stdio import serve_stdio

    async def serve() -> int:
        async with _settings(os.environ, sandbox=arguments.sandbox) as (settings, secrets):
            redactor = redactor_of(*secrets)
            _guard(settings, redactor)
            async with running_app(settings, redactor.text) as server:
                # What is loaded by now lives as long as the process: without it the collector's last round is short.
                gc.freeze()
                gc.enable()
                return await serve_stdio(server, redactor.text)

    return anyio.run(serve)


@asynccontextmanager
async def _settings(
    environ: MutableMapping[str, str], *, sandbox: bool
) -> AsyncGenerator[tuple[Settings | SettingsError, list[str]]]:
    """The settings, and the secrets to be kept out of every output."""
    if not sandbox:
        yield _read(environ)
        return
    from blikk_sandbox.running import run_sandbox

    # Neither the real key nor the real ledger has anything to do with a sandbox that forgets everything at its end.
    real_key = environ.pop("BLIKK_API_KEY", "")
    for name in ("BLIKK_API_KEY_FILE", "BLIKK_LEDGER", "BLIKK_LEDGER_PASSWORD_FILE"):
        environ.pop(name, None)
    with tempfile.TemporaryDirectory(prefix="blikk-sandbox-") as folder:
        async with run_sandbox() as running:
            own = {
                **environ,
                "BLIKK_API_KEY": running.api_key,
                "BLIKK_BASE_URL": running.base_url,
                "BLIKK_LEDGER": str(Path(folder) / "ledger.sqlite3"),
            }
            settings, secrets = _read(own, environment="sandbox")
            yield settings, [*secrets, real_key]


def _read(
    environ: MutableMapping[str, str], environment: Environment | None = None
) -> tuple[Settings | SettingsError, list[str]]:
    raw_key = environ.get("BLIKK_API_KEY", "")
    try:
        settings = read_settings(environ, environment=environment)
    except SettingsError as error:
        return error, [raw_key]
    return settings, [settings.api_key.get_secret_value()]


def _guard(settings: Settings | SettingsError, redactor: Redactor) -> None:
    # The log's formatter redacts its lines itself; what bypasses it goes through the stream that takes stderr's place.
    start_logging(*log_settings(os.environ), redactor.text, sys.stderr)
    guard_process(redactor)
    if isinstance(settings, SettingsError):
        for problem in settings.problems:
            log_event(logger, logging.ERROR, "not_configured", setting=problem.name, problem=problem.message)
    else:
        for notice in settings.notices:
            log_event(logger, logging.WARNING, "notice", text=notice)
