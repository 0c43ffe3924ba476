"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from blikk_sandbox.running import RunningSandbox, run_sandbox_in_thread

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
