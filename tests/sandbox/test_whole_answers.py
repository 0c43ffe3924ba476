"""What the sandbox says, held whole: its pages in both languages, its document, and the course of every life.

Others are tested and evaluated against these: a word or a second that changes is a visible diff. `make docs` writes them.
"""

from __future__ import annotations

import json
import os
import re
from datetime import datetime
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

import blikk_sandbox
from blikk_sandbox.lives import LifeName
from blikk_sandbox.openapi import openapi
from tests.sandbox.harness import SandboxHarness
from tests.sandbox.page import press

pytestmark = pytest.mark.anyio

FOLDER = Path(__file__).parent / "snapshots"


def check(name: str, text: str) -> None:
    """Hold it against the snapshot."""
    file = FOLDER / name
    if os.environ.get("UPDATE_SNAPSHOTS"):
        FOLDER.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()


def as_text(page: httpx.Response) -> str:
    """Status, title and language, and what stands on the page, with the buttons' names and looks."""
    html = page.text
    (language,) = re.findall(r'<html lang="(\w+)">', html)
    (title,) = re.findall(r"<title>(.*?)</title>", html)
    body = html.partition("<body>")[2]
    body = re.sub(r'<button(?: class="(\w+)")? name="decision" value="(\w+)">', r"[\2 \1] ", body)
    body = re.sub(r'<a href="([^"]+)"[^>]*>', r"(\1) ", body)
    body = re.sub(r"<(?:time|dd|input)[^>]*>|</button>", " ", body)
    lines = [" ".join(unescape(line).split()) for line in re.sub(r"<[^>]*>", "\n", body).splitlines()]
    return "\n".join([f"{page.status_code} {language}: {unescape(title)}", *filter(None, lines)])


async def pages(language: str) -> dict[str, httpx.Response]:
    """Every page that a person can come to."""
    harness, seen = SandboxHarness(), dict[str, httpx.Response]()
    query = f"?lang={language}"

    async def see(name: str, url: str) -> None:
        seen[name] = await harness.client.get(url + query)

    _, link = await harness.waiting_link()
    await see("to approve", link)
    for decision in ("approve", "reject", "cancel"):
        _, answered = await harness.waiting_link()
        seen[f"after {decision}"] = await press(harness, answered + query, decision)
        await see(f"again after {decision}", answered)
    forged = await harness.client.post(link + query, data={"decision": "approve"})
    seen["a forged answer"] = forged
    await harness.ask("POST", "/lives", {"life": "onboarding"})
    payment_id, register = await harness.waiting_link()
    await see("to register", register)
    seen["after complete"] = await press(harness, register + query, "complete")
    await see("to approve after that", (await harness.look(payment_id))["redirectUrl"])
    await harness.ask("POST", "/lives", {"life": "url_changes"})
    early = (await harness.create())["redirectUrl"]
    await see("not yet", early)
    harness.clock.advance(2)
    await see("replaced", early)
    harness.clock.advance(500)
    await see("expired", link)
    await see("unknown", "/bank/approve/guessed")
    foreign = {"ssn": "5510730339", "name": 'A & "B"', "iban": "DE89370400440532013000"}
    _, abroad = await harness.waiting_link(creditor=foreign, amount=1_234_567)
    await see("abroad", abroad)
    return seen


@pytest.mark.parametrize("language", ["en", "is"])
async def test_the_banks_pages_are_what_the_snapshot_says(language: str) -> None:
    """A person decides by what stands there."""
    seen = await pages(language)
    check(f"pages-{language}.txt", "".join(f"== {name}\n{as_text(page)}\n\n" for name, page in seen.items()))


def classes(html: str) -> set[str]:
    """The classes of a page's parts."""
    return {name for names in re.findall(r'class="([^"]*)"', html.partition("<body>")[2]) for name in names.split()}


async def test_every_look_that_the_style_knows_is_on_a_page_and_no_other() -> None:
    """A class that is lost or misspelt on a page takes its look away, and nothing else tells. Only the docs are wide."""
    own = set[str]().union(*(classes(page.text) for page in (await pages("en")).values()))
    docs = classes((await SandboxHarness().client.get("/paymentchannel/docs")).text)
    style = (Path(blikk_sandbox.__file__).parent / "style.css").read_text(encoding="utf-8")
    styled = set(re.findall(r"\.([a-z][a-z-]*)", re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)))
    assert own | docs == styled
    assert ("wide" in own, "wide" in docs) == (False, True)


@pytest.mark.parametrize("configured", [True, False], ids=["with an account", "without an account"])
async def test_the_document_is_what_the_snapshot_says(configured: bool) -> None:
    """`/openapi.json`, and the page that is made from it."""
    harness = SandboxHarness(configured_account=configured)
    document = (await harness.client.get("/paymentchannel/openapi.json")).json()
    assert document == openapi(configured_account=configured)
    page = await harness.client.get("/paymentchannel/docs")
    name = "with" if configured else "without"
    check(f"openapi-{name}-account.json", json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    check(f"docs-{name}-account.txt", as_text(page) + "\n")


LOOKS = [*[0.2] * 20, 117.3, 120.0, 300.0]
"""Seconds between two looks: often while the bank is at work, and then when links have lapsed."""


async def course(harness: SandboxHarness, life: dict[str, Any], decisions: tuple[str, ...]) -> str:
    """A payment's statuses, with the seconds since it was made; the person answers the moment they are asked."""
    await harness.ask("DELETE", "/record")
    await harness.ask("POST", "/lives", life)
    created = (await harness.create())["id"]
    waiting, links = list(decisions), set[str]()
    for seconds in LOOKS:
        harness.clock.advance(seconds)
        answer = await harness.read(created)
        if answer.status_code == 404:
            continue
        shown = answer.json()
        links |= {shown["redirectUrl"]} if "redirectUrl" in shown else set()
        if waiting and shown["status"] in ("SCA_REQUIRED", "USER_ONBOARDING_REQUIRED"):
            await harness.ask("POST", f"/payments/{created}/{waiting.pop(0)}")
    (entry,) = (await harness.ask("GET", "/record"))["payments"]
    began = entry["created_at"]
    steps = [f"{step['status']} {seconds_between(began, step['at']):g}" for step in entry["history"]]
    paid = f"paid {seconds_between(began, entry['paid_at']):g}" if entry["paid_at"] else "not paid"
    return f"{', '.join(steps)}; {len(links)} link(s); {paid}; {entry['decision'] or 'nobody'}; {entry['life']}"


def seconds_between(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


async def test_every_life_takes_the_course_that_the_snapshot_says() -> None:
    """Its statuses and their times, when nobody answers, and when somebody says yes at once."""
    harness = SandboxHarness()
    lines: list[str] = []
    for life in LifeName:
        yes = ("complete", "approve") if life is LifeName.ONBOARDING else ("approve",)
        for decisions in ((), yes):
            took = await course(harness, {"life": life.value}, decisions)
            lines.append(f"{life.value}, {'approved' if decisions else 'not answered'}: {took}")
    check("lives.txt", "\n".join(lines) + "\n")
