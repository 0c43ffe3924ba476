"""A server that pays into a sandbox: one of its own, or one that runs already on this machine.

Neither the real key nor the real base URL has anything to do with a sandbox.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

from blikk_mcp.settings import table
from blikk_mcp.settings.settings import Settings, read_settings
from blikk_mcp.settings.table import Setting
from blikk_mcp.settings.values import Problem, SettingsError

ASKING_SECONDS: Final = 3.0
MAX_INDEX_BYTES: Final = 1_048_576
_ORIGIN: Final = re.compile(
    r"http://(?P<host>127\.0\.0\.1|\[::1\]|localhost):(?P<port>[0-9]{1,5})/?(?:paymentchannel|_sandbox)?/?",
    re.IGNORECASE,
)
_BANK_ID: Final = re.compile(r"[0-9a-f]{16}")

REAL_WORLD: Final = frozenset({table.API_KEY, table.API_KEY_FILE, table.BASE_URL})
REAL_LEDGER: Final = frozenset({table.LEDGER, table.LEDGER_PASSWORD_FILE})


@dataclass(frozen=True, slots=True)
class Sandboxed:
    """The settings for a sandbox, the secrets to be kept out of every output, and where the sandbox is controlled."""

    settings: Settings | SettingsError
    secrets: tuple[str, ...]
    control_url: str


@asynccontextmanager
async def own_sandbox(environ: Mapping[str, str]) -> AsyncGenerator[Sandboxed]:
    """A sandbox that lives as long as the block, with a ledger of its own: both forget everything at its end."""
    from blikk_sandbox.running import run_sandbox

    with tempfile.TemporaryDirectory(prefix="blikk-sandbox-") as folder:
        async with run_sandbox() as running:
            settings = _read(
                {
                    **_without(environ, REAL_WORLD | REAL_LEDGER),
                    table.API_KEY.name: running.api_key,
                    table.BASE_URL.name: running.base_url,
                    table.LEDGER.name: str(Path(folder) / "ledger.sqlite3"),
                }
            )
            yield Sandboxed(settings, (running.api_key, _key_of(environ)), running.control_url)


def sandbox_at(origin: str, environ: Mapping[str, str]) -> Sandboxed:
    """The sandbox that listens at `origin`, asked for its key.

    Every process that names it sees the same bank. They share `BLIKK_LEDGER`, or else a ledger in the user's state
    folder that belongs to this one bank: a new sandbox on the same port begins with an empty one.
    """
    try:
        index = _ask(origin)
        key, bank_id = str(index["api_key"]), str(index["bank_id"])
        if not _BANK_ID.fullmatch(bank_id):
            raise ValueError("not the name of a bank")
    except (OSError, HTTPException, ValueError, KeyError):
        problem = Problem("--sandbox-at", "no sandbox answers there: start one with `blikk-mcp sandbox`")
        return Sandboxed(SettingsError([problem], environment="sandbox"), (_key_of(environ),), "")
    sandbox = {table.API_KEY.name: key, table.BASE_URL.name: f"{origin}/paymentchannel"}
    settings = _read({**_without(environ, REAL_WORLD), **sandbox})
    own_secrets: tuple[str, ...] = ()
    if isinstance(settings, Settings):
        own_secrets = settings.secrets
        if isinstance(settings.ledger, Path) and not environ.get(table.LEDGER.name, "").strip():
            settings = replace(settings, ledger=settings.ledger.with_name(f"ledger-sandbox-{bank_id}.sqlite3"))
    return Sandboxed(settings, (key, _key_of(environ), *own_secrets), f"{origin}/_sandbox")


def loopback_origin(url: str) -> str:
    """The origin of a sandbox, from any of the addresses that it prints.

    Raises:
        ValueError: it is not plain http to a port of this machine.
    """
    match = _ORIGIN.fullmatch(url.strip())
    if match is None or not 1 <= int(match["port"]) <= 65_535:
        raise ValueError("has to be an address on this machine, as `blikk-mcp sandbox` prints it")
    return f"http://{match['host'].lower()}:{int(match['port'])}"


def _without(environ: Mapping[str, str], settings: frozenset[Setting[Any]]) -> dict[str, str]:
    names = {setting.name for setting in settings}
    return {name: value for name, value in environ.items() if name not in names}


def _key_of(environ: Mapping[str, str]) -> str:
    """The real key, which pays nothing here and is kept out of every output all the same."""
    return environ.get(table.API_KEY.name, "")


def _read(environ: Mapping[str, str]) -> Settings | SettingsError:
    try:
        return read_settings(environ, environment="sandbox")
    except SettingsError as error:
        return error


def _ask(origin: str) -> dict[str, Any]:
    """The index of a sandbox's control API. Never through a proxy, and no redirect is followed."""
    parts = urlsplit(origin)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=ASKING_SECONDS)
    try:
        connection.request("GET", "/_sandbox")
        answer = connection.getresponse()
        index = json.loads(answer.read(MAX_INDEX_BYTES))
    finally:
        connection.close()
    if answer.status != 200 or not isinstance(index, dict):
        raise ValueError("not a sandbox")
    return cast("dict[str, Any]", index)
