"""Fixtures that every test may use."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from blikk_payments.channel.wire import Status
from blikk_payments.schedule import PollSchedule
from blikk_sandbox.running import RunningSandbox, run_sandbox_in_thread
from tests.chromium import need_chromium, running_chromium

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.postgres import PostgresServer

# Else a comparison that fails there says nothing of what was compared.
pytest.register_assert_rewrite("tests.expecting", "tests.tools.calls", "tests.server.running")

SANDBOX_SPEED = 20.0
SLOW_SECONDS = 600
EVERYDAY_EXAMPLES = 40
"""Of Hypothesis's 100, in `make test`."""

SLOW_AS_A_WHOLE = re.compile(r"^pytestmark = .*\bmark\.(slow|browser|node)\b", re.MULTILINE)


class QuickSchedule:
    """The pace of reading at a bank that is `SANDBOX_SPEED` times as quick as a real one."""

    def delay(self, status: Status | None, quiet_seconds: float, jitter: float) -> float:
        """Seconds until the next read."""
        return PollSchedule().delay(status, quiet_seconds * SANDBOX_SPEED, jitter) / SANDBOX_SPEED


# The same examples in every run of CI: what fails there fails here, too.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI") == "true":
    settings.load_profile("ci")
# `make test-all` tries them all.
settings.register_profile("everyday", settings(), max_examples=EVERYDAY_EXAMPLES)


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to rewrite snapshots in CI: they would be compared with themselves."""
    if os.environ.get("CI") == "true" and os.environ.get("UPDATE_SNAPSHOTS"):
        raise pytest.UsageError("UPDATE_SNAPSHOTS is set in CI: the snapshots would be compared with themselves")


# Hardly anything that is made while tests are collected is garbage: looking for some is a seventh of that time.
gc.disable()


def pytest_collection_finish() -> None:
    """Collect garbage from now on, of what the tests make alone."""
    gc.freeze()
    gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not load files of slow tests alone where no slow test runs: loading is a good part of a short suite's time."""
    if "not slow" not in str(config.option.markexpr).split(" and ") or collection_path.suffix != ".py":
        return None
    return bool(SLOW_AS_A_WHOLE.search(collection_path.read_text(encoding="utf-8"))) or None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what waits for a browser or for Node.js as slow, and give slow tests more time."""
    for item in items:
        if item.get_closest_marker("browser") or item.get_closest_marker("node"):
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_SECONDS))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The backend that the server runs on."""
    return "asyncio"


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSandbox]:
    """A sandbox of the test's own, whose bank is quick; a server in this process reads it as much more often."""
    monkeypatch.setattr("blikk_payments.service.PollSchedule", QuickSchedule)
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


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server; each test takes a database of its own."""
    from tests.postgres import running_postgres  # needs a Unix

    with running_postgres() as server:
        yield server
