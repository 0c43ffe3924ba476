"""Support: a minimal host for the card. It serves page and card on two origins and passes on between card and server."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import anyio
import mcp_types as types
from mcp.client import Client
from mcp.client.extension import advertise

from blikk_mcp.card import EXTENSION
from blikk_mcp.card.hints import KEY
from blikk_mcp.card.page import MIME_TYPE, RESOURCE_META, page

if TYPE_CHECKING:
    from playwright.async_api import Browser, Frame, Page

CARDS = advertise(EXTENSION, {"mimeTypes": [MIME_TYPE]})
HOST_PAGE = Path(__file__).with_name("host.html")

NOON = 4_102_488_000
"""In 2100, in seconds since 1970: what a stopped clock shows."""

LOOKS_AWAY = """hidden => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
"""Tells a page that it is hidden, or that it is seen again."""

PALETTE = {
    "--color-background-primary": "#fbf7ef",
    "--color-text-primary": "#2b2118",
    "--color-text-secondary": "#5c4c3c",
    "--color-border-primary": "#d8c9b4",
    "--font-sans": "Georgia, serif",
}

RESULT: Mapping[str, Any] = {
    "outcome": "needs_human",
    "status": "SCA_REQUIRED",
    "final": False,
    "payment_id": "p-1",
    "amount": 12500,
    "creditor_name": "Jón Jónsson",
    "creditor_account": "0159-26-•••654",
    "human_action": "open_link",
    "approval_url": "https://bank.example/approve/1",
    "approval_host": "bank.example",
    "environment": "stage",
    "error_code": "",
    "untrusted_bank_text": "",
}


def answer(hint: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A tool's answer as a host passes it on, made up for what no bank would do on demand."""
    result = {**RESULT, **fields}
    meta = {KEY: {"language": "en", "made_at": int(time.time()), **(hint or {})}}
    content = [{"type": "text", "text": json.dumps(result)}]
    return {"content": content, "structuredContent": result, "_meta": meta}


def policy_of(csp: Mapping[str, list[str]]) -> str:
    """The header that the extension's specification makes of a resource's `_meta.ui.csp`."""
    resources, connections, frames = (
        " ".join(csp[name]) for name in ("resourceDomains", "connectDomains", "frameDomains")
    )
    none = "'none'"
    return (
        f"default-src 'none'; script-src 'self' 'unsafe-inline' {resources}; "
        f"style-src 'self' 'unsafe-inline' {resources}; img-src 'self' data: {resources}; "
        f"connect-src {connections or none}; frame-src {frames or none}; object-src 'none'; base-uri 'self'"
    )


@contextmanager
def served(body: bytes, policy: str) -> Generator[str]:
    """One page on an origin of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", policy)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Host:
    """A chat with a card in it, and what the browser complained about."""

    page: Page
    own_address: str
    card_address: str
    client: Client | None = None
    scripted: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    complaints: list[str] = field(default_factory=list[str])
    requested: set[str] = field(default_factory=set[str])

    @property
    def card(self) -> Frame:
        """The card's document."""
        (frame,) = self.page.frames[1:]
        return frame

    async def start(self, **context: Any) -> None:
        """Load the card and shake hands."""
        await self.page.goto(self.own_address)
        await self.page.evaluate("([address, context]) => start(address, context)", [self.card_address, context])

    async def tell(self, method: str, params: Mapping[str, Any]) -> None:
        """A notice to the card."""
        await self.page.evaluate("([method, params]) => tell(method, params)", [method, params])

    async def show(self, result: Mapping[str, Any]) -> None:
        """A tool's answer, handed to the card."""
        await self.tell("ui/notifications/tool-result", result)

    async def settles(self) -> None:
        """Wait until the card has taken in all that it was told and answered."""
        await self.page.evaluate("settled()")

    async def stop_the_clock(self) -> None:
        """From now on only `passes` lets time go by: the browser's, which the card sees."""
        await self.page.clock.install(time=NOON - 60)
        await self.page.clock.pause_at(NOON)

    async def passes(self, seconds: float) -> None:
        """Let time go by for the card, and what it then does be answered."""
        await self.page.clock.run_for(round(seconds * 1000))
        await self.settles()

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """What the model's call of a tool does in such a host; its structured result."""
        await self.tell("ui/notifications/tool-input", {"arguments": arguments})
        found = await self.pass_on({"name": tool, "arguments": arguments})
        await self.show(found)
        return found["structuredContent"]

    async def pass_on(self, params: dict[str, Any]) -> dict[str, Any]:
        """A call to the server, or to the test in its place."""
        if self.scripted is not None:
            return self.scripted(params)
        assert self.client is not None
        found = await self.client.call_tool(params["name"], params["arguments"])
        assert isinstance(found, types.CallToolResult)
        return found.model_dump(by_alias=True, exclude_none=True, mode="json")

    async def noted(self, what: str) -> Any:
        """What the host wrote down: `opened`, `calls`, `said`."""
        return await self.page.evaluate(f"host.{what}")

    async def text(self, part: str) -> str:
        """What a part of the card says."""
        return await self.card.locator(f"#{part}").inner_text()

    async def says(self, part: str, text: str) -> None:
        """Wait until a part of the card says so."""
        from playwright.async_api import expect

        await expect(self.card.locator(f"#{part}")).to_have_text(text, timeout=20_000)

    async def comes_true(self, condition: str) -> None:
        """Wait until this holds in the card. Playwright's own way evaluates text in the page, which its policy forbids."""
        look = f"const look = () => ({condition}) ? done() : requestAnimationFrame(look)"
        with anyio.fail_after(20):
            await self.card.evaluate(f"new Promise(done => {{ {look}; look() }})")

    def assert_content(self) -> None:
        """No complaint, and nothing fetched but the two pages and the card's own picture."""
        assert self.complaints == []
        assert {url for url in self.requested if not url.startswith("data:")} == {self.own_address, self.card_address}


@asynccontextmanager
async def host_page(
    browser: Browser,
    client: Client | None = None,
    *,
    width: int = 460,
    color_scheme: Literal["light", "dark"] = "light",
) -> AsyncGenerator[Host]:
    """A host's page in a browser, before any card."""
    own = HOST_PAGE.read_bytes()
    policy = policy_of(RESOURCE_META["ui"]["csp"])
    with served(own, "") as own_address, served(page().encode(), policy) as card_address:
        context = await browser.new_context(viewport={"width": width, "height": 700}, color_scheme=color_scheme)
        host = Host(await context.new_page(), own_address, card_address, client)
        host.page.on("console", lambda message: host.complaints.append(message.text))
        host.page.on("pageerror", lambda error: host.complaints.append(str(error)))
        host.page.on("request", lambda request: host.requested.add(request.url))

        async def call_tool(text: str) -> str:
            return json.dumps(await host.pass_on(json.loads(text)))

        # Playwright leaves open what a callback answers.
        await host.page.expose_function("callTool", call_tool)  # pyright: ignore[reportUnknownMemberType]
        try:
            yield host
        finally:
            await context.close()
