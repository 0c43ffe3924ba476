"""Support: Chromium, driven by Playwright."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.missing import unavailable

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


def need_chromium() -> None:
    """Skip the test where the browser or its driver is missing."""
    if not CHROMIUM.exists():
        unavailable(f"not installed: {CHROMIUM}")
    if importlib.util.find_spec("playwright") is None:
        unavailable("not installed: playwright")


@asynccontextmanager
async def running_chromium() -> AsyncGenerator[Browser]:
    """A browser that runs while the block does."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        await running.close()
