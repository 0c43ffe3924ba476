"""A bank page as its form is read and sent by a client without a browser."""

from __future__ import annotations

import re
from html import unescape

import httpx

from tests.sandbox.harness import SandboxHarness


def heading(page: httpx.Response) -> str:
    match = re.search(r"<h1>(.*?)</h1>", page.text)
    assert match, page.text
    return unescape(match[1])


def csrf_token(page: httpx.Response) -> str:
    match = re.search(r'name="csrf_token" value="([0-9a-f]+)"', page.text)
    assert match, page.text
    return match[1]


async def press(harness: SandboxHarness, link: str, decision: str = "approve", **headers: str) -> httpx.Response:
    """What a browser does: open the page, send its form with the cookie that came with it."""
    page = await harness.client.get(link)
    form = {"csrf_token": csrf_token(page), "decision": decision}
    return await harness.client.post(link, data=form, headers=headers)
