"""Support: the server behind its front door, with its log and redaction, run to its end inside this process."""

from __future__ import annotations

import gc
import json
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from blikk_mcp.serving import serve_mcp
from blikk_mcp.settings.settings import take_environment
from blikk_mcp.stderr import QueuedStderr
from blikk_mcp.transports import stdio
from blikk_mcp.transports.front_door import Handover
from blikk_mcp.transports.wire import Wire
from tests.server.running import LIMIT_SECONDS, MODERN_META


@dataclass
class Served:
    """What a client and an operator got, and how it ended."""

    code: int
    lines: list[str]
    log: str
    say_dropped: str
    collects_garbage: bool

    @property
    def result(self) -> dict[str, Any]:
        """The one answer's structured result."""
        (line,) = self.lines
        return json.loads(line)["result"]["structuredContent"]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log's records of this event; every line has to be JSON."""
        records = [json.loads(line) for line in self.log.splitlines()]
        return [record for record in records if record["event"] == name]


def tool_call(tool: str, number: int = 1, /, **arguments: Any) -> str:
    """One call in the modern era, which needs no handshake."""
    params: dict[str, Any] = {"name": tool, "arguments": arguments, "_meta": MODERN_META}
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})


def serve(
    monkeypatch: pytest.MonkeyPatch,
    environ: Mapping[str, str],
    lines: Iterable[str],
    *,
    sandbox: bool = False,
    sandbox_at: str | None = None,
    last_answers_seconds: float = LIMIT_SECONDS,
) -> Served:
    """Say these few lines to a server, hang up, and wait for its end. For tests that run no event loop themselves.

    What was asked is answered unless that takes longer than `last_answers_seconds`.
    """
    stdin, ours_out = os.pipe()
    ours_in, stdout = os.pipe()
    log_in, log_out = os.pipe()
    os.write(ours_out, "".join(f"{line}\n" for line in lines).encode())
    os.close(ours_out)
    stderr, wire = QueuedStderr(log_out), Wire(stdin, stdout)
    root, raising = logging.getLogger(), logging.raiseExceptions
    loggers = [logger for logger in logging.Logger.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    levels = [logger.level for logger in loggers]
    handlers, level = root.handlers[:], root.level
    with monkeypatch.context() as patched:
        for name, value in environ.items():
            patched.setenv(name, value)
        patched.setattr(stdio, "exit_soon", _nothing)
        patched.setattr(stdio, "LAST_ANSWERS_SECONDS", last_answers_seconds)
        patched.setattr("sys.stderr", stderr)
        for hook in ("sys.excepthook", "threading.excepthook", "sys.unraisablehook"):
            patched.setattr(hook, _nothing)
        patched.setattr("atexit.register", _nothing)
        try:
            wire.start()
            taken = take_environment(os.environ)
            code = serve_mcp(wire, Handover(), stderr, taken, sandbox=sandbox, sandbox_at=sandbox_at)
            collects_garbage = gc.isenabled()
        finally:
            gc.enable()
            gc.unfreeze()
            logging.captureWarnings(False)
            root.handlers[:], logging.raiseExceptions = handlers, raising
            root.setLevel(level)
            for logger, before in zip(loggers, levels, strict=True):
                logger.setLevel(before)
    stderr.finish()
    for fd in (stdin, stdout, log_out):
        os.close(fd)
    said = [_all_of(fd) for fd in (ours_in, log_in)]
    return Served(code, said[0].splitlines(), said[1], stderr.say_dropped(7), collects_garbage)


def _nothing(*_: object) -> None:
    pass


def _all_of(fd: int) -> str:
    with open(fd, "rb") as stream:
        return stream.read().decode()
