"""Support: a command of `blikk-mcp` run inside this process, at a fraction of what starting one costs."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

from blikk_mcp.cli import main


def blikk_mcp(
    *arguments: str, environ: Mapping[str, str] | None = None, encoding: str = "utf-8", given: str = ""
) -> subprocess.CompletedProcess[str]:
    """What the command printed and its exit code, with that environment and nobody at a terminal."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
    with (
        patch.dict(os.environ, {**kept, **(environ or {})}, clear=True),
        patch.object(sys, "stdin", io.StringIO(given)),
        patch.object(sys, "stdout", out),
        patch.object(sys, "stderr", err),
        # In a thread: a command has an event loop of its own, and the test may be in one.
        ThreadPoolExecutor(1) as thread,
    ):
        code = thread.submit(_exit_code, list(arguments)).result()
    said: list[str] = []
    for stream in (out, err):
        stream.flush()
        said.append(stream.buffer.getvalue().decode(encoding))  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(arguments, code, *said)


def _exit_code(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as end:
        if isinstance(end.code, int):
            return end.code
        sys.stderr.write(f"{end.code or ''}\n")
        return 1 if end.code else 0
