"""A ledger in PostgreSQL, seen from the command line and from a client."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from blikk_payments.ledger.opening import SqliteLedger, open_ledger
from blikk_sandbox.running import RunningSandbox
from tests.payments.factories import KEY, NOON, OTHER_KEY, an_intent, answer
from tests.payments.ledgers import allow
from tests.postgres import PostgresServer
from tests.sandbox_control import received
from tests.server.in_process import blikk_mcp
from tests.server.running import PAYMENT, call, connected, environment, spawned

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def environ(sandbox: RunningSandbox, postgres: PostgresServer, tmp_path: Path) -> dict[str, str]:
    return {**environment(sandbox, tmp_path), "BLIKK_LEDGER": postgres.database()}


async def run(environ: dict[str, str], *command: str) -> Any:
    """A command, beside the event loop."""
    return await anyio.to_thread.run_sync(lambda: blikk_mcp(*command, environ=environ))


async def test_a_payment_goes_through_postgres_and_the_commands_see_it(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """Reading makes no ledger; the first payment does, and a replay sends nothing."""
    for words in (("ledger", "list"), ("doctor",)):
        assert "the database in BLIKK_LEDGER" in (await run(environ, *words)).stdout
    async with connected(environ) as client:
        made = await call(client, "create_payment", PAYMENT)
        again = await call(client, "create_payment", PAYMENT)
    assert (again["replayed"], again["payment_id"]) == (True, made["payment_id"])
    assert len(received(sandbox)) == 1
    listed = await run(environ, "ledger", "list", "--json")
    assert json.loads(listed.stdout)["payment_id"] == made["payment_id"]
    assert (await run(environ, "ledger", "verify")).returncode == 0
    assert "can be written" in (await run(environ, "doctor", "--verify")).stdout
    backup = await run(environ, "ledger", "backup", "copy.sqlite3")
    assert backup.returncode == 1
    assert "pg_dump" in backup.stderr


async def test_from_start_to_the_list_of_tools_nothing_of_the_driver_is_imported(environ: dict[str, str]) -> None:
    """A lean process, also with the ledger in PostgreSQL and without the front door."""
    async with spawned({**environ, "BLIKK_FRONT_DOOR": "off"}) as server:
        await server.initialize()
        assert (await server.ask("tools/list"))["result"]["tools"]
        if sys.platform == "linux":
            maps = await anyio.Path(f"/proc/{server.process.pid}/maps").read_text(encoding="utf-8")
            assert "psycopg" not in maps
            assert "libpq" not in maps
        await server.close_stdin()
        assert await server.end() == 0


def test_a_copy_is_the_ledger_itself(postgres: PostgresServer, tmp_path: Path) -> None:
    """Rows, history and the fingerprints' key: a known key is known there, and the history goes on."""
    path, address = tmp_path / "state" / "ledger.sqlite3", postgres.database()
    with SqliteLedger(path, environment="loopback") as ledger:
        ledger.claim(an_intent(), allow, window_minutes=0, now=NOON)
        ledger.created(KEY, 1, answer(payment_id="blikk-1"), now=NOON)
        ledger.claim(an_intent(OTHER_KEY), allow, window_minutes=0, now=NOON)
        before = list(ledger.records(now=NOON)), ledger.history(KEY)

    ended = blikk_mcp("ledger", "copy", str(path), address, environ={})

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("2 payment(s) copied, and the copy adds up.")
    with open_ledger(address, environment="loopback") as copy:
        assert (list(copy.records(now=NOON)), copy.history(KEY)) == before
        assert not copy.claim(an_intent(), allow, window_minutes=0, now=NOON).fresh
        assert copy.claim(an_intent("order-0003"), allow, window_minutes=0, now=NOON).fresh
        assert copy.verify() == []
    again = blikk_mcp("ledger", "copy", str(path), address, environ={})
    assert again.returncode == 1
    assert "holds something already. Nothing was copied." in again.stderr


def test_a_copy_without_an_original_or_to_no_database_is_refused(postgres: PostgresServer, tmp_path: Path) -> None:
    """And neither argument is repeated."""
    for source, target in ((tmp_path / "none", postgres.database()), (tmp_path / "none", "mysql://secret-place/x")):
        ended = blikk_mcp("ledger", "copy", str(source), target, environ={})
        assert ended.returncode == 1
        assert "secret-place" not in ended.stderr
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("command", [("doctor",), ("ledger", "list")])
def test_an_address_that_the_driver_cannot_read_is_told_without_it(command: tuple[str, ...]) -> None:
    """The driver's complaint repeats a part of the address; it ended the command in a traceback."""
    ended = blikk_mcp(
        *command,
        environ={
            "BLIKK_API_KEY": "key_0123456789abcdef",
            "BLIKK_BASE_URL": "http://127.0.0.1:9/x",
            "BLIKK_LEDGER": "postgresql://u:sentinel-7f3a@[::1]localhost/db",
        },
    )
    assert ended.returncode == 1
    assert "The address of the ledger's database cannot be read" in ended.stdout + ended.stderr
    assert "sentinel-7f3a" not in ended.stdout + ended.stderr
