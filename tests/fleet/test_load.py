"""Many agents on three servers for a while: `make fleet` has more of them, for longer."""

from __future__ import annotations

import pytest

from blikk_sandbox.running import RunningSandbox
from tests.fleet.load import run

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

AGENTS, SECONDS = 200, 10


async def test_two_hundred_agents_lose_nothing_and_pay_nothing_twice(
    environ: dict[str, str], sandbox: RunningSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """Agents, ledger and bank agree on every purchase, also on those that two servers were asked for at once."""
    came = await run(AGENTS, SECONDS, environ, sandbox)
    with capsys.disabled():
        print(f"\n{came.report()}")  # noqa: T201 - the latencies are to be seen
    assert came.problems == []
    assert came.purchases >= AGENTS
