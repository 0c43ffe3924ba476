"""A key that was sent, while another process locks the ledger, moves it away, or makes it read-only."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, closing, contextmanager
from pathlib import Path

import anyio
import pytest

from blikk_sandbox.running import RunningSandbox
from tests.sandbox_control import received
from tests.server.running import PAYMENT, Process, environment, inherited, spawned

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

WITHOUT_PRIVILEGES = """
import ctypes, os, sys
if os.geteuid() == 0:
    version, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capset(version, none) == 0
from blikk_mcp.cli import main
sys.exit(main(["serve"]))
"""
"""The server as an owner who has no right to override file modes."""

EARLIER_MAY_HAVE = "This call sent nothing; an earlier one with this key may have."


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Another process writes, and does not come to an end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE payments SET purpose = 'half'")
        yield
        other.execute("ROLLBACK")


@contextmanager
def read_only(path: Path) -> Generator[None]:
    """Another process takes away the right to write the file and its folder."""
    files = [path, *path.parent.glob("*-wal"), *path.parent.glob("*-shm")]
    for file in files:
        file.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        yield
    finally:
        path.parent.chmod(0o700)
        for file in files:
            if file.exists():
                file.chmod(0o600)


@contextmanager
def moved(path: Path) -> Generator[None]:
    """Another process moves the file away."""
    elsewhere = path.with_name("elsewhere")
    path.rename(elsewhere)
    yield
    elsewhere.rename(path)


@asynccontextmanager
async def server(environ: Mapping[str, str]) -> AsyncGenerator[Process]:
    """A server that obeys file modes, past its handshake."""
    command = [sys.executable, "-c", WITHOUT_PRIVILEGES]
    started = await anyio.open_process(command, env={**inherited(), **environ})
    try:
        process = Process(started)
        await process.initialize()
        yield process
    finally:
        if started.returncode is None:
            started.kill()
        with anyio.CancelScope(shield=True):
            await started.aclose()


@pytest.mark.parametrize("hold", [locked, read_only])
async def test_a_key_that_was_sent_is_answered_from_a_ledger_that_can_only_be_read(
    sandbox: RunningSandbox, tmp_path: Path, hold: Callable[[Path], AbstractContextManager[None]]
) -> None:
    """ "Nothing was sent" about a key that has a payment makes an agent pay again: by the same process and by a new one."""
    environ = environment(sandbox, tmp_path)
    async with server(environ) as first:
        created = await first.call("create_payment", PAYMENT)
        assert created["outcome"] == "needs_human"
        with hold(Path(environ["BLIKK_LEDGER"])):
            again = await first.call("create_payment", PAYMENT)
            async with server(environ) as second:
                elsewhere = await second.call("create_payment", PAYMENT)
                other = await second.call(
                    "create_payment", {**PAYMENT, "idempotency_key": "order-0002", "amount": 2_000}
                )
    for result in (again, elsewhere):
        assert (result["replayed"], result["payment_id"]) == (True, created["payment_id"])
        assert (result["outcome"], result["error_code"]) == ("needs_human", "")
        assert "sent" not in result["next_step"]
    assert (other["outcome"], other["error_code"]) == ("refused", "ledger_unavailable")
    assert EARLIER_MAY_HAVE in other["next_step"]
    assert len(received(sandbox)) == 1


async def test_a_key_whose_ledger_was_moved_away_is_never_told_that_nothing_was_sent(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    """By the process that had it open, and by one that starts meanwhile and would make an empty one in its place."""
    environ = environment(sandbox, tmp_path)
    async with spawned(environ, "serve") as first:
        await first.initialize()
        created = await first.call("create_payment", PAYMENT)
        with moved(Path(environ["BLIKK_LEDGER"])):
            told = [await first.call("create_payment", PAYMENT)]
            async with spawned(environ, "serve") as second:
                await second.initialize()
                told.append(await second.call("create_payment", PAYMENT))
        for result in told:
            assert (result["outcome"], result["error_code"]) == ("refused", "ledger_unavailable")
            assert EARLIER_MAY_HAVE in result["next_step"]
            assert "Nothing was sent" not in result["human_instruction"] + result["next_step"]
            assert "An earlier try at the same payment may still have gone through." in result["human_instruction"]
        again = await first.call("create_payment", PAYMENT)
    assert (again["replayed"], again["payment_id"]) == (True, created["payment_id"])
    assert len(received(sandbox)) == 1
