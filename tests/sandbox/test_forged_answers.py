"""An approval comes from the page that this person was shown, and from nowhere else."""

from __future__ import annotations

import pytest

from tests.sandbox.harness import SandboxHarness
from tests.sandbox.page import csrf_token, press

pytestmark = pytest.mark.anyio
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("token", [None, "", "0" * 64, "not hex"])
async def test_a_missing_or_wrong_token_is_refused(token: str | None) -> None:
    """Cross-site request forgery."""
    harness = SandboxHarness()
    payment_id, link = await harness.waiting_link()
    await harness.client.get(link)
    form = {"decision": "approve"} | ({} if token is None else {"csrf_token": token})
    page = await harness.client.post(link, data=form)
    assert page.status_code == 403
    assert await harness.status(payment_id) == "SCA_REQUIRED"


async def test_the_token_counts_only_with_the_cookie_it_was_given_with() -> None:
    """A token that an attacker fetched for himself is bound to his own browser."""
    harness = SandboxHarness()
    payment_id, link = await harness.waiting_link()
    token = csrf_token(await harness.client.get(link))
    form = {"csrf_token": token, "decision": "approve"}
    harness.client.cookies.clear()
    assert (await harness.client.post(link, data=form)).status_code == 403
    harness.client.cookies.set("sandbox_bank_visit", "A" * 43, domain="127.0.0.1", path="/bank")
    assert (await harness.client.post(link, data=form)).status_code == 403
    assert await harness.status(payment_id) == "SCA_REQUIRED"


async def test_the_token_of_one_payment_does_not_approve_another() -> None:
    """Bound to the link as well."""
    harness = SandboxHarness()
    _, mine = await harness.waiting_link()
    other_id, other = await harness.waiting_link()
    token = csrf_token(await harness.client.get(mine))
    page = await harness.client.post(other, data={"csrf_token": token, "decision": "approve"})
    assert page.status_code == 403
    assert await harness.status(other_id) == "SCA_REQUIRED"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_a_form_from_another_origin_is_refused(headers: dict[str, str]) -> None:
    """Even with the right token."""
    harness = SandboxHarness()
    payment_id, link = await harness.waiting_link()
    assert (await press(harness, link, **headers)).status_code == 403
    assert await harness.status(payment_id) == "SCA_REQUIRED"


async def test_the_null_origin_of_its_own_page_is_taken() -> None:
    """A page with no-referrer sends `Origin: null` to itself; the browser vouches for it in Sec-Fetch-Site."""
    harness = SandboxHarness()
    _, link = await harness.waiting_link()
    headers = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
    assert (await press(harness, link, **headers)).status_code == 200


@pytest.mark.parametrize("decision", ["", "complete", "expire", "APPROVE"])
async def test_the_form_takes_only_what_its_buttons_say(decision: str) -> None:
    """An onboarding answer approves nothing."""
    harness = SandboxHarness()
    payment_id, link = await harness.waiting_link()
    assert (await press(harness, link, decision)).status_code == 403
    assert await harness.status(payment_id) == "SCA_REQUIRED"


async def test_a_form_of_another_kind_is_refused() -> None:
    """JSON, or far too much."""
    harness = SandboxHarness()
    _, link = await harness.waiting_link()
    token = csrf_token(await harness.client.get(link))
    assert (await harness.client.post(link, json={"csrf_token": token, "decision": "approve"})).status_code == 403
    body = f"csrf_token={token}&decision=approve&more={'x' * 5000}"
    assert (await harness.client.post(link, content=body, headers=FORM)).status_code == 403
