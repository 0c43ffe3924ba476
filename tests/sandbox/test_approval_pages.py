"""The bank's pages: what they show, in which words, for how long, and what a hostile name cannot do."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from blikk_sandbox.words import amount_in_words, choose_language
from tests.sandbox.harness import IBAN, SandboxHarness, payment_body
from tests.sandbox.page import csrf_token, heading, press

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("decision", "status", "said"),
    [
        ("approve", "SCA_COMPLETE", "Payment approved"),
        ("reject", "REJECTED", "Payment rejected"),
        ("cancel", "CANCELLED", "Payment cancelled"),
    ],
)
async def test_a_person_answers_through_the_form(decision: str, status: str, said: str) -> None:
    """Blikk's page: a person completes SCA at redirectUrl."""
    harness = SandboxHarness()
    payment_id, link = await harness.waiting_link()
    page = await press(harness, link, decision)
    assert (page.status_code, heading(page)) == (200, said)
    assert await harness.status(payment_id) == status


async def test_the_page_tells_what_is_paid_to_whom_and_that_it_is_a_sandbox() -> None:
    """The person decides by what the page says."""
    harness = SandboxHarness()
    _, link = await harness.waiting_link(amount=1_234_500)
    page = (await harness.client.get(link)).text
    for text in (
        "1,234,500 ISK",
        "Kaffihúsið ehf.",
        "0159-26-•••654",
        "This is a sandbox: no real money moves.",
    ):
        assert text in page
    assert IBAN not in page
    assert IBAN[-10:] not in page  # the holder's kennitala


async def test_an_account_without_an_iban_is_masked_too() -> None:
    """The same parts as with an IBAN."""
    harness = SandboxHarness()
    payment = await harness.client.post(
        "/paymentchannel/payment",
        json={
            "amount": 1,
            "currency": "ISK",
            "creditor": {"ssn": "5510730339", "name": "x", "bban": "015926007654"},
        },
    )
    harness.clock.advance(2)
    link = (await harness.look(payment.json()["id"]))["redirectUrl"]
    page = (await harness.client.get(link)).text
    assert "0159-26-•••654" in page
    assert "007654" not in page


async def test_looking_at_the_page_approves_nothing() -> None:
    """Link previews and scanners open links too."""
    harness = SandboxHarness()
    payment_id, link = await harness.waiting_link()
    for _ in range(3):
        await harness.client.get(link)
        await harness.client.head(link)
    assert await harness.status(payment_id) == "SCA_REQUIRED"


async def test_the_headers_shut_everything_off_that_the_page_does_not_need() -> None:
    """Our own rules for pages on which money is approved."""
    harness = SandboxHarness()
    _, link = await harness.waiting_link()
    page = await harness.client.get(link)
    policy = page.headers["content-security-policy"]
    for rule in ("default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert rule in policy
    assert "unsafe" not in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-content-type-options"] == "nosniff"
    cookie = page.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "<script" not in page.text


async def test_a_payment_is_answered_once() -> None:
    """Also when the page was open twice."""
    harness = SandboxHarness()
    payment_id, link = await harness.waiting_link()
    token = csrf_token(await harness.client.get(link))
    await press(harness, link, "reject")
    late = await harness.client.post(link, data={"csrf_token": token, "decision": "approve"})
    assert (late.status_code, heading(late)) == (409, "This payment has already been answered")
    assert (await harness.client.get(link)).status_code == 409
    assert await harness.status(payment_id) == "REJECTED"


async def test_an_expired_link_is_gone() -> None:
    """A sister API of Blikk's: links live 120 s."""
    harness = SandboxHarness()
    payment_id, link = await harness.waiting_link()
    token = csrf_token(await harness.client.get(link))
    harness.clock.advance(121)
    page = await harness.client.get(link)
    assert (page.status_code, heading(page)) == (410, "This link has expired")
    late = await harness.client.post(link, data={"csrf_token": token, "decision": "approve"})
    assert late.status_code == 410
    assert await harness.status(payment_id) == "ERROR"


@pytest.mark.parametrize("path", ["/bank/approve/nobody-knows", "/bank/onboard/nobody-knows", "/bank/steal/x"])
async def test_an_unknown_link_is_not_found(path: str) -> None:
    """And nothing tells whether one was close."""
    page = await SandboxHarness().client.get(path)
    assert (page.status_code, heading(page)) == (404, "There is no such payment")


async def test_a_link_from_before_the_bank_asks_is_not_ready_and_then_replaced() -> None:
    """A sister API of Blikk's: the URL of the POST answer can differ from the one to show."""
    harness = SandboxHarness(life="url_changes")
    payment = await harness.create()
    page = await harness.client.get(payment["redirectUrl"])
    assert (page.status_code, heading(page)) == (409, "This payment is not ready yet")
    harness.clock.advance(2)
    page = await harness.client.get(payment["redirectUrl"])
    assert (page.status_code, heading(page)) == (410, "This link has been replaced")


async def test_onboarding_is_one_button_and_leads_to_another_link() -> None:
    """A public integrator's code: USER_ONBOARDING_REQUIRED, then SCA_REQUIRED."""
    harness = SandboxHarness(life="onboarding")
    payment_id, link = await harness.waiting_link()
    assert (await press(harness, link, "approve")).status_code == 403
    page = await press(harness, link, "complete")
    assert (page.status_code, heading(page)) == (200, "You are connected")
    assert await harness.status(payment_id) == "SCA_REQUIRED"
    assert (await harness.client.get(link)).status_code == 409
    newest = (await harness.look(payment_id))["redirectUrl"]
    assert (await press(harness, newest)).status_code == 200


async def test_an_onboarding_link_does_not_open_the_approval_page() -> None:
    """Each token belongs to one page."""
    harness = SandboxHarness(life="onboarding")
    _, link = await harness.waiting_link()
    assert (await harness.client.get(link.replace("/onboard/", "/approve/"))).status_code == 404


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "</dd></dl><form action=//evil.example>",
        "&lt;b&gt;",
        "{{7*7}}${7*7}",
        "\u202egro.live",
        "\x00\x1b[31m",
    ],
)
async def test_a_hostile_name_stays_text(name: str) -> None:
    """The creditor's name comes from outside."""
    harness = SandboxHarness()
    _, link = await harness.waiting_link(creditor={"name": name})
    page = await harness.client.get(link)
    assert page.status_code == 200
    shown = re.search(r"<bdi>(.*?)</bdi>", page.text, re.DOTALL)
    assert shown
    assert "<" not in shown[1]
    assert unescape(shown[1]) == name


async def test_a_name_with_no_utf_8_form_is_shown_with_a_question_mark() -> None:
    """JSON can name lone surrogates."""
    harness = SandboxHarness()
    body = json.dumps(payment_body(creditor={"name": "a\ud800b"}))
    headers = {"Content-Type": "application/json"}
    response = await harness.client.post("/paymentchannel/payment", content=body, headers=headers)
    harness.clock.advance(2)
    link = (await harness.look(response.json()["id"]))["redirectUrl"]
    assert "<bdi>a?b</bdi>" in (await harness.client.get(link)).text


async def test_the_page_speaks_icelandic_when_it_is_asked_to() -> None:
    """By the link, or by what the browser prefers."""
    harness = SandboxHarness()
    _, link = await harness.waiting_link(amount=1000)
    for page in (
        await harness.client.get(f"{link}?lang=is"),
        await harness.client.get(link, headers={"Accept-Language": "is-IS,is;q=0.9,en;q=0.8"}),
    ):
        assert '<html lang="is">' in page.text
        assert page.headers["content-language"] == "is"
        for text in ("1.000 kr.", "Samþykkja", "Hafna", "Hætta við", "engir raunverulegir peningar"):
            assert text in page.text
        assert '<a href="?lang=en"' in page.text


async def test_the_answer_comes_in_the_language_of_the_page() -> None:
    """The form's address keeps the choice."""
    harness = SandboxHarness()
    _, link = await harness.waiting_link()
    page = await harness.client.get(f"{link}?lang=is")
    assert 'action="?lang=is"' in page.text
    assert heading(await press(harness, f"{link}?lang=is")) == "Greiðsla samþykkt"


@pytest.mark.parametrize(
    ("asked", "preferred", "chosen"),
    [
        ("is", "en", "is"),
        ("en", "is", "en"),
        ("de", "is", "is"),
        (None, "", "en"),
        (None, "de,fr;q=0.9", "en"),
        (None, "en;q=0.3, is;q=0.8", "is"),
        (None, "is;q=0", "en"),
        (None, "is;q=nonsense", "en"),
    ],
)
def test_the_link_decides_the_language_before_the_browser_does(asked: str | None, preferred: str, chosen: str) -> None:
    """RFC 9110: weights, and 0 for never."""
    assert choose_language(asked, preferred) == chosen


def test_amounts_are_written_as_people_write_them() -> None:
    """Whole krónur, never cents."""
    assert amount_in_words(1_234_567, "is") == "1.234.567 kr."
    assert amount_in_words(1_234_567, "en") == "1,234,567 ISK"
    assert amount_in_words(999, "is") == "999 kr."


async def test_a_bad_host_header_does_not_get_into_the_link() -> None:
    """The link is made from the Host header, which the client writes."""
    harness = SandboxHarness()
    payment = await harness.create()
    harness.clock.advance(2)
    response = await harness.read(payment["id"], headers={"Host": 'evil"><script>'})
    assert response.json()["redirectUrl"].startswith("http://127.0.0.1:8080/bank/")
