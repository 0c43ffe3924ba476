"""What axe-core finds on the card and on the sandbox's bank pages: nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest

from blikk_mcp.card.hints import qr_code
from blikk_payments.channel.links import check_link
from blikk_sandbox.running import RunningSandbox
from tests.card.axe import violations
from tests.card.host import CARDS, answer, host_page
from tests.sandbox_control import control
from tests.server.running import PAYMENT, call, connected, environment

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.node]

SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])
OVER: dict[str, Any] = {"human_action": "none", "approval_url": ""}


@SCHEMES
async def test_nothing_is_found_on_the_card(browser: Browser, axe: str, scheme: Literal["light", "dark"]) -> None:
    """WCAG 2.2 and axe's own advice, in every state of the card and both languages."""
    link = check_link("https://bank.example/approve/1")
    states = [
        answer({"qr": qr_code(link)}, environment="sandbox"),
        answer({"cautions": "Careful: the name mixes alphabets."}, environment="sandbox"),
        answer({"qr": qr_code(link), "language": "is"}, environment="production"),
        answer(human_action="bank_app", environment="custom"),
        answer(**OVER, outcome="pending"),
        answer(**OVER, outcome="unknown", error_code="outcome_unknown"),
        answer(**OVER, outcome="refused", error_code="over_limit", untrusted_bank_text="No funds"),
        answer(**OVER, outcome="failed", status="REJECTED", final=True, environment="production"),
        answer(**OVER, outcome="paid", status="SUCCESS", final=True),
    ]
    async with host_page(browser, color_scheme=scheme) as host:
        found: list[str] = []
        for state in states:
            host.scripted = lambda _, state=state: state
            await host.start()
            found += await violations(host.card, axe)
            await host.show(state)
            await host.comes_true("document.getElementById('state').textContent !== 'Getting the payment ready'")
            found += await violations(host.card, axe)
        host.assert_content()
    assert found == []


@SCHEMES
async def test_nothing_is_found_on_the_banks_pages(
    browser: Browser, axe: str, sandbox: RunningSandbox, tmp_path: Path, scheme: Literal["light", "dark"]
) -> None:
    """The same for the sandbox's pages: to approve, the result, expired, and to register first."""
    found: list[str] = []
    context = await browser.new_context(color_scheme=scheme)
    page = await context.new_page()
    async with connected(environment(sandbox, tmp_path), extensions=[CARDS]) as client:
        approval = await call(client, "create_payment", PAYMENT)
        await page.goto(approval["approval_url"])
        found += await violations(page, axe)
        await page.get_by_role("link", name="Íslenska").click()
        found += await violations(page, axe)
        await page.get_by_role("button", name="Samþykkja").click()
        found += await violations(page, axe)
        control(sandbox, "lives", {"life": "onboarding"})
        onboarding = await call(client, "create_payment", {**PAYMENT, "amount": 2000, "idempotency_key": "order-0002"})
        await page.goto(onboarding["approval_url"])
        found += await violations(page, axe)
        control(sandbox, "clock", {"advance_seconds": 301})
        await page.goto(onboarding["approval_url"])
        assert await page.get_by_role("heading", level=1).inner_text() == "This link has expired"
        found += await violations(page, axe)
    await context.close()
    assert found == []
