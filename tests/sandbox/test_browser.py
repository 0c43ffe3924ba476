"""The bank's pages in a real browser: Chromium, driven by Playwright."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import httpx
import pytest

from blikk_sandbox import RunningSandbox, run_sandbox
from tests.sandbox.harness import payment_body

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


@pytest.fixture(scope="module")
async def sandbox(anyio_backend: str) -> AsyncIterator[RunningSandbox]:
    async with run_sandbox() as running:
        yield running


@dataclass
class Visitor:
    """A person with a browser, and what the browser complained about."""

    sandbox: RunningSandbox
    client: httpx.AsyncClient
    browser: Browser
    complaints: list[str] = field(default_factory=list[str])
    requested: set[str] = field(default_factory=set[str])
    contexts: list[BrowserContext] = field(default_factory=list["BrowserContext"])

    async def page(self, **options: Any) -> Page:
        context = await self.browser.new_context(viewport={"width": 460, "height": 860}, **options)
        self.contexts.append(context)
        page = await context.new_page()
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requested.add(request.url))
        return page

    async def waiting_link(self, life: str = "standard") -> tuple[str, str]:
        await self.client.post(f"{self.sandbox.control_url}/lives", json={"life": life})
        url = f"{self.sandbox.base_url}/payment"
        payment = (await self.client.post(url, json=payment_body(amount=12_500))).json()
        await self.advance(2)
        return payment["id"], (await self.client.get(f"{url}/{payment['id']}")).json()["redirectUrl"]

    async def advance(self, seconds: float) -> None:
        await self.client.post(f"{self.sandbox.control_url}/clock", json={"advance_seconds": seconds})

    async def status(self, payment_id: str) -> str:
        return (await self.client.get(f"{self.sandbox.base_url}/payment/{payment_id}")).json()["status"]

    def assert_content(self) -> None:
        """No complaint, and nothing fetched from anywhere else."""
        assert self.complaints == []
        origin = self.sandbox.base_url.removesuffix("/paymentchannel")
        assert [url for url in self.requested if not url.startswith((origin, "data:"))] == []


@pytest.fixture
async def visitor(sandbox: RunningSandbox, browser: Browser) -> AsyncIterator[Visitor]:
    async with httpx.AsyncClient(headers={"Api-Key": sandbox.api_key}, verify=False) as client:
        person = Visitor(sandbox, client, browser)
        yield person
        for context in person.contexts:
            await context.close()


async def heading(page: Page) -> str:
    return await page.get_by_role("heading", level=1).inner_text()


@pytest.mark.parametrize(
    ("button", "status", "said"),
    [
        ("Approve", "SUCCESS", "Payment approved"),
        ("Reject", "REJECTED", "Payment rejected"),
        ("Cancel", "CANCELLED", "Payment cancelled"),
    ],
)
async def test_a_person_answers_in_a_browser(visitor: Visitor, button: str, status: str, said: str) -> None:
    """Blikk's page: a person completes SCA at redirectUrl."""
    payment_id, link = await visitor.waiting_link()
    page = await visitor.page()
    await page.goto(link)
    assert await heading(page) == "Approve this payment?"
    assert "12,500 ISK" in await page.get_by_role("main").inner_text()
    await page.get_by_role("button", name=button, exact=True).click()
    assert await heading(page) == said
    await visitor.advance(2)
    assert await visitor.status(payment_id) == status
    visitor.assert_content()


async def test_the_page_works_without_javascript_and_in_icelandic(visitor: Visitor) -> None:
    """The pages have no script at all; the link in the corner switches the language."""
    payment_id, link = await visitor.waiting_link()
    page = await visitor.page(java_script_enabled=False)
    await page.goto(link)
    await page.get_by_role("link", name="Íslenska").click()
    assert await heading(page) == "Samþykkja þessa greiðslu?"
    assert "12.500 kr." in await page.get_by_role("main").inner_text()
    await page.get_by_role("button", name="Samþykkja").click()
    assert await heading(page) == "Greiðsla samþykkt"
    assert await visitor.status(payment_id) == "SCA_COMPLETE"
    visitor.assert_content()


async def test_a_browser_set_to_icelandic_gets_icelandic(visitor: Visitor) -> None:
    """Accept-Language."""
    _, link = await visitor.waiting_link()
    page = await visitor.page(locale="is-IS")
    await page.goto(link)
    assert await page.locator("html").get_attribute("lang") == "is"


async def test_a_person_can_answer_with_the_keyboard_alone(visitor: Visitor) -> None:
    """Language link, Approve, Reject, Cancel; and the focus can be seen."""
    payment_id, link = await visitor.waiting_link()
    page = await visitor.page()
    await page.goto(link)
    visited: list[str] = []
    for _ in range(3):
        await page.keyboard.press("Tab")
        visited.append(await page.locator(":focus").inner_text())
        outline = await page.locator(":focus").evaluate("element => getComputedStyle(element).outlineWidth")
        assert outline == "3px"
    assert visited == ["Íslenska", "Approve", "Reject"]
    await page.keyboard.press("Enter")
    assert await heading(page) == "Payment rejected"
    assert await visitor.status(payment_id) == "REJECTED"


async def test_onboarding_leads_to_an_approval(visitor: Visitor) -> None:
    """A public integrator's code: USER_ONBOARDING_REQUIRED comes with a redirectUrl."""
    payment_id, link = await visitor.waiting_link("onboarding")
    page = await visitor.page()
    await page.goto(link)
    await page.get_by_role("button", name="Complete").click()
    assert await heading(page) == "You are connected"
    assert await visitor.status(payment_id) == "SCA_REQUIRED"
    visitor.assert_content()


async def test_an_expired_link_says_so(visitor: Visitor) -> None:
    """A sister API of Blikk's: links live 120 s. Also for the page that was open all the time."""
    _, link = await visitor.waiting_link()
    page = await visitor.page()
    await page.goto(link)
    await visitor.advance(121)
    await page.get_by_role("button", name="Approve").click()
    assert await heading(page) == "This link has expired"
    response = await page.goto(link)
    assert response
    assert response.status == 410
    # Chromium itself writes down that the page's own status is 410, and nothing else may be there.
    assert all("410" in complaint for complaint in visitor.complaints)


async def test_a_page_of_another_site_cannot_answer(visitor: Visitor) -> None:
    """Cross-site request forgery, with the cookie in the same browser."""
    payment_id, link = await visitor.waiting_link()
    page = await visitor.page()
    await page.goto(link)
    token = await page.locator("input[name=csrf_token]").get_attribute("value")
    form = (
        f'<form method="post" action="{link}"><input name="csrf_token" value="{token}">'
        '<button name="decision" value="approve">Win</button></form>'
    )
    await page.route("http://evil.example/", lambda route: route.fulfill(content_type="text/html", body=form))
    await page.goto("http://evil.example/")
    await page.get_by_role("button", name="Win").click()
    assert await heading(page) == "Your answer could not be taken"
    assert await visitor.status(payment_id) == "SCA_REQUIRED"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_fits_a_small_screen(visitor: Visitor, tmp_path: Path, scheme: Literal["light", "dark"]) -> None:
    """Most people approve on a phone. The picture is for whoever wants to look."""
    _, link = await visitor.waiting_link()
    page = await visitor.page(color_scheme=scheme)
    await page.set_viewport_size({"width": 320, "height": 700})
    await page.goto(link)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    await page.screenshot(path=tmp_path / f"{scheme}.png", full_page=True)
    assert (tmp_path / f"{scheme}.png").stat().st_size > 1000


async def test_the_docs_page_loads_in_a_browser(visitor: Visitor) -> None:
    """Blikk's page: GET /docs is HTML, behind the key like everything else."""
    page = await visitor.page(extra_http_headers={"Api-Key": visitor.sandbox.api_key})
    response = await page.goto(f"{visitor.sandbox.base_url}/docs")
    assert response
    assert response.status == 200
    assert await heading(page) == "Payment Channel sandbox"
    visitor.assert_content()
