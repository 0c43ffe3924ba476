"""The card in every state and both languages, held whole: each change of what a person sees is a visible diff."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from blikk_mcp.card.hints import qr_code
from blikk_payments.channel.links import check_link
from tests.card.host import NOON, Host, answer, host_page

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

FOLDER = Path(__file__).parent / "snapshots"
HTTPS = qr_code(check_link("https://bank.example/approve/1"))
SEEN = """() => {
  const lines = [`page: ${document.documentElement.lang}, ${document.title}`];
  for (const element of document.querySelectorAll("main [id]")) {
    const text = (element.alt ?? element.textContent).trim();
    const looks = element.dataset.kind ?? element.dataset.tone;
    if (!element.checkVisibility() || (!text && looks === undefined) || element.querySelector("[id]")) {
      if (looks && element.checkVisibility()) lines.push(`looks: ${looks}`);
      continue;
    }
    lines.push(`${element.id}${looks ? ` (${looks})` : ""}: ${text}`);
  }
  for (const head of document.querySelectorAll("dt, #bank figcaption")) {
    if (head.checkVisibility()) lines.push(`head: ${head.textContent}`);
  }
  return lines.join("\\n");
}"""
"""What can be seen of the card, with the colours' names."""

OVER: dict[str, Any] = {"human_action": "none", "approval_url": "", "approval_host": ""}
ENDED: dict[str, Any] = {**OVER, "outcome": "failed", "final": True}
LOCAL: dict[str, Any] = {"approval_url": "http://127.0.0.1:1/approve", "approval_host": "127.0.0.1"}
LOOKALIKE: dict[str, Any] = {"approval_url": "https://xn--bnk-0qa.example/1", "approval_host": "xn--bnk-0qa.example"}
OTHER: dict[str, Any] = {"blikk_says": "999,900 EUR $&"}
UNREAD: dict[str, Any] = {**OVER, "outcome": "unknown", "error_code": "blikk_unavailable"}

STATES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a link": ({"qr": HTTPS}, {"environment": "production"}),
    "a link of the sandbox": ({"qr": HTTPS}, {**LOCAL, "environment": "sandbox"}),
    "a link without a picture": ({}, {"environment": "stage"}),
    "a link that looks like another": ({"qr": HTTPS}, {**LOOKALIKE, "environment": "custom"}),
    "an old link": ({"made_at": NOON - 61}, {}),
    "a link of the future": ({"made_at": NOON + 61}, {}),
    "a link of a minute ago": ({"made_at": NOON - 59}, {}),
    "to register": ({"qr": HTTPS}, {"human_action": "onboarding"}),
    "in the app": ({}, {"human_action": "bank_app", "approval_url": "", "approval_host": ""}),
    "a link that could not be read": ({}, {**OVER}),
    "with a caution": ({"cautions": "Careful."}, {}),
    "with the bank's words": ({}, {**OVER, "outcome": "pending", "untrusted_bank_text": "No funds"}),
    "another amount": (OTHER, {**OVER}),
    "another amount, with the bank": (OTHER, {**OVER, "outcome": "pending"}),
    "another amount, paid": (OTHER, {**OVER, "outcome": "paid", "status": "SUCCESS", "final": True}),
    "another amount, failed": (OTHER, {**ENDED, "status": "REJECTED"}),
    "with the bank": ({}, {**OVER, "outcome": "pending", "status": "PENDING"}),
    "paid": ({"cautions": "Careful."}, {**OVER, "outcome": "paid", "status": "SUCCESS", "final": True}),
    "rejected": ({}, {**ENDED, "status": "REJECTED"}),
    "cancelled": ({}, {**ENDED, "status": "CANCELLED"}),
    "an error": ({}, {**ENDED, "status": "ERROR"}),
    "unknown": ({}, {**OVER, "outcome": "unknown", "error_code": "outcome_unknown"}),
    "refused": ({}, {**OVER, "outcome": "refused", "error_code": "over_limit", "payment_id": ""}),
    "unread": ({}, UNREAD),
    "no more": ({}, {**UNREAD, "error_code": "unauthorized"}),
    "of nothing known": ({}, {**UNREAD, "amount": 0, "creditor_name": "", "creditor_account": "", "environment": "x"}),
    "a large amount": ({}, {**OVER, "outcome": "pending", "amount": 1_234_567_890}),
}


async def seen_in(host: Host, language: str) -> dict[str, str]:
    """Every state, by its name."""
    seen: dict[str, str] = {}
    for name, (hint, fields) in STATES.items():
        await host.start(locale="de-DE" if language == "en" else "is-IS")
        await host.show(answer({"language": language, "made_at": NOON, **hint}, **fields))
        await host.settles()
        seen[name] = await host.card.evaluate(SEEN)
    await host.start(locale="de-DE" if language == "en" else "is-IS")
    seen["before anything"] = await host.card.evaluate(SEEN)
    await host.tell("ui/notifications/tool-cancelled", {})
    await host.settles()
    seen["stopped"] = await host.card.evaluate(SEEN)
    return seen


@pytest.mark.parametrize("language", ["en", "is"])
async def test_the_card_is_what_its_snapshot_says(browser: Browser, language: str) -> None:
    """`UPDATE_SNAPSHOTS=1` writes it anew."""
    async with host_page(browser) as host:
        await host.stop_the_clock()
        seen = await seen_in(host, language)
        host.assert_content()
    text = "".join(f"== {name}\n{what}\n\n" for name, what in seen.items())
    file = FOLDER / f"card-{language}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        FOLDER.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()
