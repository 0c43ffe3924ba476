"""A person at the bank's page, played over HTTP: opens the link, presses a button. Loopback only."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPConnection, HTTPMessage
from http.cookies import SimpleCookie
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlencode, urljoin, urlsplit

TIMEOUT_SECONDS: Final = 10.0
MAX_PAGE_BYTES: Final = 1_048_576


class PersonStuckError(Exception):
    """The page offers no such button. `status` and `heading` tell which page it was."""

    def __init__(self, status: int, heading: str, choices: tuple[str, ...]) -> None:
        super().__init__(f"the bank's page says {heading!r} ({status}) and offers {', '.join(choices) or 'no button'}")
        self.status = status
        self.heading = heading


async def approve(url: str, *, decision: str = "approve") -> str:
    """Open `url`, press the button for `decision`, and return the heading of the page that follows.

    Decisions are approve, reject, cancel and, on the onboarding page, complete. Raises `PersonStuckError`
    where the page has no such button, `ValueError` for a URL beyond this machine.
    """
    return await asyncio.to_thread(approve_now, url, decision=decision)


def approve_now(url: str, *, decision: str = "approve") -> str:
    """The same for callers without an event loop."""
    status, headers, page = _exchange("GET", url, headers={"Sandbox-Visitor": "person"})
    if decision not in page.choices:
        raise PersonStuckError(status, page.heading, tuple(page.choices))
    cookies = SimpleCookie()
    for cookie in headers.get_all("Set-Cookie", []):
        cookies.load(cookie)
    sent = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": "; ".join(f"{name}={cookie.value}" for name, cookie in cookies.items()),
        "Origin": "{0.scheme}://{0.netloc}".format(urlsplit(url)),
    }
    form = urlencode(page.hidden | {"decision": decision})
    status, _, result = _exchange("POST", urljoin(url, page.action), form, sent)
    if status != 200:
        raise PersonStuckError(status, result.heading, tuple(result.choices))
    return result.heading


@dataclass
class _Page(HTMLParser):
    """The heading and the form of a page."""

    heading: str = ""
    action: str = ""
    hidden: dict[str, str] = field(default_factory=dict[str, str])
    choices: list[str] = field(default_factory=list[str])
    _in_heading: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "h1":
            self._in_heading = True
        elif tag == "form":
            self.action = given.get("action", "")
        elif tag == "input" and given.get("type") == "hidden":
            self.hidden[given.get("name", "")] = given.get("value", "")
        elif tag == "button" and given.get("name") == "decision":
            self.choices.append(given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "h1":
            self._in_heading = False

    def handle_data(self, data: str) -> None:
        if self._in_heading:
            self.heading += data


def _exchange(
    method: str, url: str, body: str | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, HTTPMessage, _Page]:
    host, port, target = _loopback(urlsplit(url))
    connection = HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request(method, target, body, dict(headers or {}))
        response = connection.getresponse()
        page = _Page()
        page.feed(response.read(MAX_PAGE_BYTES).decode("utf-8", "replace"))
        return response.status, response.headers, page
    finally:
        connection.close()


def _loopback(parts: SplitResult) -> tuple[str, int, str]:
    host = parts.hostname or ""
    try:
        allowed = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        allowed = False
    if parts.scheme != "http" or not allowed:
        raise ValueError("the person only opens http pages of this machine")
    target = parts.path or "/"
    return host, parts.port or 80, f"{target}?{parts.query}" if parts.query else target
