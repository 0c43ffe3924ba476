"""The same bank after a restart: another sandbox takes over keys, clock, payments, links, faults and lives."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from blikk_sandbox.bank import MAX_SECONDS_AHEAD
from blikk_sandbox.running import run_sandbox
from tests.sandbox.harness import KEY, SandboxHarness, payment_body

pytestmark = pytest.mark.anyio


async def test_a_restarted_sandbox_goes_on_as_the_same_bank() -> None:
    """The bank's truth outlives the process; the open link still works, under the key of before."""
    async with run_sandbox(seed=1) as before, httpx.AsyncClient(verify=False) as client:
        client.headers["Api-Key"] = before.api_key
        payment = (await client.post(f"{before.base_url}/payment", json=payment_body())).json()
        await client.post(f"{before.control_url}/clock", json={"advance_seconds": 30})
        link = (await client.get(f"{before.base_url}/payment/{payment['id']}")).json()["redirectUrl"]
        await client.get(link)
        await client.post(f"{before.control_url}/lives", json={"life": "push"})
        await client.post(f"{before.control_url}/faults", json={"fault": "rate_limited", "operation": "create"})
        state = (await client.get(f"{before.control_url}/state")).json()
        record = (await client.get(f"{before.control_url}/record")).json()
    port = urlsplit(before.base_url).port or 0
    async with run_sandbox(port=port) as after, httpx.AsyncClient(verify=False) as client:
        taken = await client.put(f"{after.control_url}/state", json=state)
        assert (taken.status_code, taken.json()["api_key"]) == (200, before.api_key)
        client.headers["Api-Key"] = before.api_key
        assert (await client.get(link)).status_code == 200
        after_record = (await client.get(f"{after.control_url}/record")).json()
        (entry,) = after_record["payments"]
        assert (entry["page_views"], record["payments"][0]["page_views"]) == (2, 1)
        assert after_record["received"] == record["received"]
        assert after_record["now"] > record["now"]
        await client.post(f"{after.control_url}/payments/{payment['id']}/approve")
        await client.post(f"{after.control_url}/clock", json={"advance_seconds": 5})
        assert (await client.get(f"{after.control_url}/record")).json()["paid"] == [payment["id"]]
        # The fault and the life that waited still come.
        assert (await client.post(f"{after.base_url}/payment", json=payment_body())).status_code == 429
        assert (await client.get(f"{after.control_url}/lives")).json()["lives"] == [{"life": "push", "times": 1}]


async def test_a_seeded_sandbox_that_takes_over_gives_no_id_twice() -> None:
    """The same seed would begin with the first id again."""
    async with run_sandbox(seed=1) as before, httpx.AsyncClient(verify=False) as client:
        client.headers["Api-Key"] = before.api_key
        first = (await client.post(f"{before.base_url}/payment", json=payment_body())).json()
        state = (await client.get(f"{before.control_url}/state")).json()
    async with run_sandbox(seed=1) as after, httpx.AsyncClient(verify=False) as client:
        client.headers["Api-Key"] = after.api_key
        await client.put(f"{after.control_url}/state", json=state)
        second = (await client.post(f"{after.base_url}/payment", json=payment_body())).json()
        assert second["id"] != first["id"]
        assert (await client.get(f"{after.base_url}/payment/{first['id']}")).json()["id"] == first["id"]


async def test_what_is_no_state_is_refused_and_changes_nothing() -> None:
    """Half a bank is worse than none."""
    harness = SandboxHarness()
    payment = await harness.create()
    state = await harness.ask("GET", "/state")
    spoilt: list[dict[str, Any]] = [{"api_keys": []}, {"seconds_ahead": -1}, {"bank": {}}, {"x": 1}]
    for broken in [{}, *(state | fields for fields in spoilt)]:
        assert (await harness.control("PUT", "/state", broken)).status_code == 400
    assert (await harness.read(payment["id"])).status_code == 200
    assert (await harness.control("PUT", "/state", state)).status_code == 200


async def test_the_index_says_what_there_is() -> None:
    """The control API documents itself: every path with a sentence, every fault and every life."""
    harness = SandboxHarness()
    index = await harness.ask("GET", "")
    assert index == await harness.ask("GET", "/")
    assert index["base_url"].endswith("/paymentchannel")
    assert index["control_url"].endswith("/_sandbox")
    assert index["api_key"] == KEY
    assert all(path["does"].endswith(".") or path["does"].endswith("`.") for path in index["paths"])
    assert {"answer_lost_after_commit", "slow"} <= set(index["faults"])
    assert {"push", "late_rejection"} <= set(index["lives"])
    assert len({(path["method"], path["url"]) for path in index["paths"]}) == len(index["paths"]) >= 16


async def test_the_index_and_the_state_are_for_this_machine_only() -> None:
    """They hold the sandbox's key."""
    harness = SandboxHarness(peer="192.168.1.20")
    for method, path in (("GET", ""), ("GET", "/"), ("GET", "/state"), ("PUT", "/state"), ("PUT", "/lives")):
        assert (await harness.control(method, path)).status_code == 403


async def test_the_clock_does_not_leave_the_calendar() -> None:
    """Moved ahead again and again it is refused, not broken."""
    harness = SandboxHarness()
    step = {"advance_seconds": MAX_SECONDS_AHEAD / 11}
    answers = [(await harness.control("POST", "/clock", step)).status_code for _ in range(12)]
    assert answers == [200] * 11 + [400]
    assert (await harness.post(payment_body())).status_code == 201
