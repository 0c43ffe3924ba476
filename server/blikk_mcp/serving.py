"""The server behind the front door: settings, logs and redaction, and the SDK's server on the wire."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import partial

import anyio

from blikk_mcp.logs import dropped_line, log_event, start_logging
from blikk_mcp.redaction.messages import redact_line
from blikk_mcp.redaction.process import guard_process, redactor_of
from blikk_mcp.settings.settings import Settings, log_settings, raw_secrets, read_settings
from blikk_mcp.settings.values import SettingsError
from blikk_mcp.stderr import QueuedStderr
from blikk_mcp.transports.front_door import Handover
from blikk_mcp.transports.wire import Wire

logger = logging.getLogger(__name__)


def serve_mcp(
    wire: Wire,
    handover: Handover,
    stderr: QueuedStderr,
    environ: Mapping[str, str],
    *,
    sandbox: bool,
    sandbox_at: str | None,
) -> int:
    """Serve from where the door left off; the exit code."""
    # Hardly anything that is made while the modules load is garbage: looking for some is a tenth of the start.
    gc.disable()
    from blikk_mcp.app import running_app
    from blikk_mcp.transports.stdio import serve_stdio

    async def serve() -> int:
        async with _settings(environ, sandbox=sandbox, address=sandbox_at) as (settings, secrets, control_url):
            redactor = redactor_of(*secrets)
            log_level, log_format = log_settings(environ)
            stderr.say_dropped = dropped_line(log_format)
            # The log's formatter redacts its lines itself; what bypasses it goes through the stream in stderr's place.
            start_logging(log_level, log_format, partial(redact_line, redactor), sys.stderr)
            guard_process(redactor)
            _log_problems(settings)
            if control_url:
                log_event(logger, logging.INFO, "sandbox", control_url=control_url)
            async with running_app(settings, redactor) as server:
                # What is loaded by now lives as long as the process: without it the collector's last round is short.
                gc.freeze()
                gc.enable()
                return await serve_stdio(server, partial(redact_line, redactor), wire, handover)

    return anyio.run(serve)


@asynccontextmanager
async def _settings(
    environ: Mapping[str, str], *, sandbox: bool, address: str | None
) -> AsyncGenerator[tuple[Settings | SettingsError, tuple[str, ...], str]]:
    """The settings, the secrets to be kept out of every output, and a sandbox's control address if it is one."""
    if not sandbox and address is None:
        yield *_read(environ), ""
        return
    from blikk_mcp.sandboxed import own_sandbox, sandbox_at

    if address is not None:
        found = sandbox_at(address, environ)
        yield found.settings, found.secrets, found.control_url
        return
    async with own_sandbox(environ) as own:
        yield own.settings, own.secrets, own.control_url


def _read(environ: Mapping[str, str]) -> tuple[Settings | SettingsError, tuple[str, ...]]:
    try:
        settings = read_settings(environ)
    except SettingsError as error:
        return error, raw_secrets(environ)
    return settings, settings.secrets


def _log_problems(settings: Settings | SettingsError) -> None:
    if isinstance(settings, SettingsError):
        for problem in settings.problems:
            log_event(logger, logging.ERROR, "not_configured", setting=problem.name, problem=problem.message)
    else:
        for notice in settings.notices:
            log_event(logger, logging.WARNING, "settings_warning", text=notice)
