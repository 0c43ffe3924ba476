"""Who opened a link: the person says who they are, and everybody else is seen all the same."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from blikk_sandbox.person import approve
from blikk_sandbox.running import RunningSandbox
from tests.sandbox.harness import SandboxHarness, payment_body
from tests.sandbox_control import control

pytestmark = pytest.mark.anyio


async def views(harness: SandboxHarness) -> list[dict[str, Any]]:
    record = await harness.ask("GET", "/record")
    return [{name: view[name] for name in ("payment_id", "door", "visitor")} for view in record["views"]]


async def test_nobody_has_opened_a_link_before_somebody_does() -> None:
    """An agent that opens the person's link leaves a trace, and one that does not leaves none."""
    harness = SandboxHarness()
    payment_id, _ = await harness.waiting_link()
    assert await views(harness) == []
    assert (await harness.ask("GET", "/record"))["payments"][0]["page_views"] == 0
    assert payment_id


async def test_the_person_and_somebody_else_can_be_told_apart() -> None:
    """Who says nothing is not the person."""
    harness = SandboxHarness()
    payment_id, url = await harness.waiting_link()
    path = urlsplit(url).path
    await harness.client.get(path, headers={"Sandbox-Visitor": "person"})
    await harness.client.get(path, headers={"User-Agent": "an agent's fetch tool"})
    await harness.client.head(path)
    assert await views(harness) == [
        {"payment_id": payment_id, "door": "open", "visitor": visitor} for visitor in ("person", "", "")
    ]
    record = await harness.ask("GET", "/record")
    assert record["views"][1]["user_agent"] == "an agent's fetch tool"
    assert record["payments"][0]["page_views"] == 3


async def test_a_link_that_leads_nowhere_any_more_is_seen_too() -> None:
    """Also one that was guessed, and one that has lapsed."""
    harness = SandboxHarness()
    payment_id, url = await harness.waiting_link()
    harness.clock.advance(500)
    await harness.client.get(urlsplit(url).path)
    await harness.client.get("/bank/approve/guessed")
    assert await views(harness) == [
        {"payment_id": payment_id, "door": "expired", "visitor": ""},
        {"payment_id": None, "door": "unknown", "visitor": ""},
    ]


async def test_a_visitor_says_a_few_words_at_most() -> None:
    """The record stays small."""
    harness = SandboxHarness()
    _, url = await harness.waiting_link()
    await harness.client.get(urlsplit(url).path, headers={"Sandbox-Visitor": "p" * 900, "User-Agent": "u" * 900})
    (view,) = (await harness.ask("GET", "/record"))["views"]
    assert (len(view["visitor"]), len(view["user_agent"])) == (40, 200)


async def test_clearing_the_record_forgets_the_views() -> None:
    """One scenario's visitors are not the next one's."""
    harness = SandboxHarness()
    _, url = await harness.waiting_link()
    await harness.client.get(urlsplit(url).path)
    assert (await harness.ask("DELETE", "/record"))["views"] == []


async def test_the_person_of_the_demo_says_who_they_are(sandbox: RunningSandbox) -> None:
    """So that the record of a demo shows nobody else."""
    control(sandbox, "lives", {"life": "standard", "link_seconds": 600})
    async with httpx.AsyncClient(headers={"Api-Key": sandbox.api_key}, verify=False) as client:
        payment = (await client.post(f"{sandbox.base_url}/payment", json=payment_body())).json()
        control(sandbox, "clock", {"advance_seconds": 2})
        url = (await client.get(f"{sandbox.base_url}/payment/{payment['id']}")).json()["redirectUrl"]
    await approve(url)
    assert [view["visitor"] for view in control(sandbox, "record")["views"]] == ["person"]
