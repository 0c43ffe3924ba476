"""Lives in one call: by name or as a script of statuses, for the next payments in their order."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.harness import SandboxHarness

pytestmark = pytest.mark.anyio


async def test_the_lives_of_the_next_payments_are_set_in_one_call() -> None:
    """What waited before is gone, and after the last one the usual life comes back."""
    harness = SandboxHarness()
    await harness.ask("POST", "/lives", {"life": "push", "times": 5})
    lives = [{"life": "instant_rejection", "times": 2}, {"life": "instant_success", "times": 1}]
    assert await harness.ask("PUT", "/lives", {"lives": lives}) == {"lives": lives}
    assert [(await harness.create())["status"] for _ in range(4)] == ["REJECTED", "REJECTED", "SUCCESS", "DRAFT"]
    assert await harness.ask("PUT", "/lives", {"lives": []}) == {"lives": []}


async def test_the_faults_to_come_are_set_in_one_call() -> None:
    """The same for faults."""
    harness = SandboxHarness()
    await harness.ask("POST", "/faults", {"fault": "slow"})
    faults = [{"fault": "rate_limited", "times": 1}, {"fault": "empty_502", "operation": "read", "times": 1}]
    assert await harness.ask("PUT", "/faults", {"faults": faults}) == {"faults": faults}


async def walk(harness: SandboxHarness, payment_id: str, decision: str) -> list[str]:
    """The statuses that a client sees, with the person's decision when there is a link."""
    seen: list[str] = []
    for _ in range(10):
        status = await harness.status(payment_id)
        seen += [status] if status not in seen[-1:] else []
        if status in ("SCA_REQUIRED", "USER_ONBOARDING_REQUIRED"):
            answer = "complete" if status == "USER_ONBOARDING_REQUIRED" else decision
            await harness.control("POST", f"/payments/{payment_id}/{answer}")
        else:
            harness.clock.advance(1)
    return seen


@pytest.mark.parametrize(
    ("statuses", "seen"),
    [
        (["SCA_REQUIRED"], ["SCA_REQUIRED", "SCA_COMPLETE", "SUCCESS"]),
        (["DRAFT", "SCA_REQUIRED", "SCA_COMPLETE", "REJECTED"], ["DRAFT", "SCA_REQUIRED", "SCA_COMPLETE", "REJECTED"]),
        (["PENDING", "DRAFT", "PENDING"], ["PENDING", "DRAFT", "PENDING"]),
        (["UNHEARD_OF", "SUCCESS"], ["UNHEARD_OF", "SUCCESS"]),
        (["ERROR"], ["ERROR"]),
        (
            ["USER_ONBOARDING_REQUIRED", "PENDING", "SCA_REQUIRED", "SUCCESS"],
            ["USER_ONBOARDING_REQUIRED", "PENDING", "SCA_REQUIRED", "SUCCESS"],
        ),
    ],
)
async def test_a_life_can_be_a_script_of_statuses(statuses: list[str], seen: list[str]) -> None:
    """What stands before SCA_REQUIRED comes by itself, the rest once a person approves."""
    harness = SandboxHarness()
    await harness.ask("POST", "/lives", {"statuses": statuses})
    payment = await harness.create()
    assert await walk(harness, payment["id"], "approve") == seen
    paid = (await harness.ask("GET", "/record"))["paid"]
    assert paid == ([payment["id"]] if seen[-1] == "SUCCESS" else [])


async def test_a_script_that_nobody_approves_lapses() -> None:
    """A link lives for its time in a script too."""
    harness = SandboxHarness()
    await harness.ask("POST", "/lives", {"statuses": ["SCA_REQUIRED", "SUCCESS"], "link_seconds": 10})
    payment = await harness.create()
    assert payment["redirectUrl"]
    harness.clock.advance(10)
    assert await harness.status(payment["id"]) == "ERROR"
    assert (await harness.ask("GET", "/record"))["paid"] == []


async def test_a_rejected_script_ends_there() -> None:
    """The person's no is worth more than what was to come."""
    harness = SandboxHarness()
    await harness.ask("POST", "/lives", {"statuses": ["SCA_REQUIRED", "SUCCESS"]})
    payment = await harness.create()
    assert await walk(harness, payment["id"], "reject") == ["SCA_REQUIRED", "REJECTED"]


@pytest.mark.parametrize(
    "life",
    [
        {},
        {"life": "push", "statuses": ["DRAFT"]},
        {"statuses": []},
        {"statuses": ["SUCCESS", "DRAFT"]},
        {"statuses": ["SCA_REQUIRED", "SCA_REQUIRED"]},
        {"statuses": ["SCA_REQUIRED", "USER_ONBOARDING_REQUIRED"]},
        {"statuses": ["USER_ONBOARDING_REQUIRED"]},
        {"statuses": ["paid"]},
        {"statuses": ["DRAFT"] * 21},
        {"life": "push", "link_seconds": 1e300},
        {"life": "push", "settle_seconds": -1},
    ],
)
async def test_a_life_that_cannot_be_led_is_refused(life: dict[str, Any]) -> None:
    """In one call with others too: then none of them is taken."""
    harness = SandboxHarness()
    assert (await harness.control("POST", "/lives", life)).status_code == 400
    assert (await harness.control("PUT", "/lives", {"lives": [{"life": "push"}, life]})).status_code == 400
    assert await harness.ask("GET", "/lives") == {"lives": []}
