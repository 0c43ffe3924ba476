"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest

from blikk_sandbox.running import RunningSandbox, run_sandbox_in_thread
from tests.chromium import need_chromium, running_chromium

if TYPE_CHECKING:
    from playwright.async_api import Browser

SANDBOX_SPEED = 20.0


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The backend that the server runs on."""
    return "asyncio"


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    """A sandbox of the test's own, whose bank is quick."""
    with run_sandbox_in_thread(speed=SANDBOX_SPEED) as running:
        yield running


@pytest.fixture(scope="session")
def browser_tools() -> None:
    """Skip without them; in CI that is a failure."""
    need_chromium()


@pytest.fixture(scope="module")
async def browser(anyio_backend: str, browser_tools: None) -> AsyncIterator[Browser]:
    """Chromium."""
    async with running_chromium() as running:
        yield running
