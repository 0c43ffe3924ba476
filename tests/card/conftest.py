"""Fixtures of the card's tests: a host in the browser, and the accessibility checker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from blikk_sandbox.running import RunningSandbox
from tests.card.axe import axe_source
from tests.card.host import CARDS, Host, host_page
from tests.server.running import connected, environment

if TYPE_CHECKING:
    from playwright.async_api import Browser


@pytest.fixture(scope="session")
def axe() -> str:
    """The accessibility checker's script."""
    return axe_source()


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
