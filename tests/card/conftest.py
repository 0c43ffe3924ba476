"""Fixtures of the card's tests: a browser, a host in it, and the accessibility checker."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from blikk_sandbox.running import RunningSandbox
from tests.card.axe import axe_source, unavailable
from tests.card.host import CARDS, Host, host_page
from tests.server.running import connected, environment

if TYPE_CHECKING:
    from playwright.async_api import Browser

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def axe() -> str:
    """The accessibility checker's script."""
    return axe_source()


@pytest.fixture(scope="session")
def browser_tools() -> None:
    """Skip without them; in CI that is a failure."""
    if not CHROMIUM.exists():
        unavailable(f"not installed: {CHROMIUM}")
    if importlib.util.find_spec("playwright") is None:
        unavailable("not installed: playwright")


@pytest.fixture(scope="module")
async def browser(anyio_backend: str, browser_tools: None) -> AsyncIterator[Browser]:
    """Chromium."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        await running.close()


@pytest.fixture
async def host(browser: Browser) -> AsyncIterator[Host]:
    """A host whose server is the test."""
    async with host_page(browser) as running:
        yield running


@pytest.fixture
async def connected_host(browser: Browser, sandbox: RunningSandbox, tmp_path: Path) -> AsyncIterator[Host]:
    """A host with the real server behind it, and the sandbox behind that."""
    async with (
        connected(environment(sandbox, tmp_path), extensions=[CARDS]) as client,
        host_page(browser, client) as running,
    ):
        yield running
