"""Three servers, as clients start them, on one PostgreSQL ledger: what one key and one limit mean to all of them."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

from blikk_sandbox.running import RunningSandbox
from tests.fleet.servers import SERVERS, at_once, requests_arrived, start
from tests.fleet.wire import CLAIM, COMMIT, wired
from tests.postgres import running_postgres
from tests.sandbox_control import control, received
from tests.server.running import PAYMENT

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_one_key_through_all_servers_at_once_is_one_post(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """The tables are made in the same race."""
    async with AsyncExitStack() as stack:
        servers = await start(stack, *[environ] * SERVERS)
        results = await at_once(servers, [[dict(PAYMENT)]] * SERVERS)
    assert len(received(sandbox)) == 1
    assert len({result["payment_id"] for result in results}) == 1
    assert sorted(result["replayed"] for result in results) == [False, True, True]


async def test_forty_creates_that_race_for_the_last_room_never_exceed_the_limit(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """The day's limit is the fleet's."""
    environ["BLIKK_DAILY_LIMIT_ISK"] = "10000"
    payments = [{**PAYMENT, "idempotency_key": f"order-{number:04}"} for number in range(40)]
    async with AsyncExitStack() as stack:
        servers = await start(stack, *[environ] * SERVERS)
        results = await at_once(servers, [payments[start::SERVERS] for start in range(SERVERS)])
    assert len(received(sandbox)) == 10
    assert sorted({result["error_code"] for result in results}) == ["", "over_limit"]
    assert sum(result["error_code"] == "" for result in results) == 10


async def test_a_server_that_is_killed_in_mid_create_leaves_an_unknown_outcome_to_the_others(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """Nobody sends it again."""
    control(sandbox, "faults", {"fault": "slow", "operation": "create", "seconds": 20})
    async with AsyncExitStack() as stack:
        doomed, *others = await start(stack, *[environ] * SERVERS)
        await doomed.send("tools/call", {"name": "create_payment", "arguments": dict(PAYMENT)})
        await requests_arrived(sandbox)
        doomed.process.kill()
        await doomed.process.wait()
        for other in others:
            result = await other.call("create_payment", dict(PAYMENT))
            assert (result["outcome"], result["replayed"]) == ("unknown", True)
    assert len(received(sandbox)) == 1


async def test_while_the_database_is_stopped_nothing_is_sent_and_afterwards_nothing_is_lost(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """In words that speak of this call."""
    with running_postgres() as server:
        environ["BLIKK_LEDGER"] = server.database()
        async with AsyncExitStack() as stack:
            servers = await start(stack, *[environ] * SERVERS)
            made = await servers[0].call("create_payment", dict(PAYMENT))
            server.stop()
            other = {**PAYMENT, "idempotency_key": "order-0002"}
            for result in await at_once(servers, [[other]] * SERVERS):
                assert (result["outcome"], result["error_code"]) == ("refused", "ledger_unavailable")
            assert len(received(sandbox)) == 1
            server.start()
            results = await at_once(servers, [[dict(PAYMENT)]] * SERVERS)
            assert {(result["payment_id"], result["replayed"]) for result in results} == {(made["payment_id"], True)}
            assert (await servers[1].call("create_payment", other))["error_code"] == ""
    assert len(received(sandbox)) == 2


@pytest.mark.parametrize("statements", [(CLAIM,), (CLAIM, COMMIT)], ids=["before the commit", "after the commit"])
async def test_while_the_database_is_silent_to_a_server_nothing_is_sent_and_afterwards_nothing_is_lost(
    statements: tuple[bytes, ...], environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """A cut cable: no answer, and no end of the connection. New connections are accepted, and nobody speaks there either."""
    async with AsyncExitStack() as stack:
        wire = await stack.enter_async_context(wired(environ["BLIKK_LEDGER"]))
        cut, other = await start(stack, {**environ, "BLIKK_LEDGER": wire.address}, environ)
        wire.fall_silent_after(*statements)
        result = await cut.call("create_payment", dict(PAYMENT))
        assert (result["outcome"], result["error_code"]) == ("refused", "ledger_unavailable")
        assert received(sandbox) == []
        wire.speak()
        results = await at_once([cut, other], [[dict(PAYMENT)]] * 2)
    if COMMIT in statements:
        # The claim is there, and who made it cannot know: it may not be sent again.
        assert {result["outcome"] for result in results} <= {"pending", "unknown"}
        assert received(sandbox) == []
    else:
        assert len({result["payment_id"] for result in results}) == 1
        assert len(received(sandbox)) == 1


async def test_a_database_that_was_restored_from_an_earlier_copy_is_refused(
    environ: dict[str, str], sandbox: RunningSandbox
) -> None:
    """It has forgotten what was paid since. Every server that knows better refuses, in words for its operator."""
    payments = [{**PAYMENT, "idempotency_key": f"order-{number:04}"} for number in range(2 * SERVERS)]
    with running_postgres() as server:
        environ["BLIKK_LEDGER"] = server.database()
        async with AsyncExitStack() as stack:
            servers = await start(stack, *[environ] * SERVERS)
            await at_once(servers, [[payment] for payment in payments[:SERVERS]])
            server.stop()
            copy = server.copy_files()
            server.start()
            await at_once(servers, [[payment] for payment in payments[SERVERS:]])
            server.stop()
            server.put_back(copy)
            server.start()
            for payment in payments:
                results = await at_once(servers, [[payment]] * SERVERS)
                if payment in payments[SERVERS:]:
                    assert {result["error_code"] for result in results} == {"ledger_unavailable"}
                    assert all("older copy" in result["error_message"] for result in results)
    assert len(received(sandbox)) == len(payments)
