"""Fixtures of the fleet's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from blikk_sandbox.running import RunningSandbox
from tests.fleet.servers import fleet_environment
from tests.postgres import PostgresServer


@pytest.fixture
def environ(sandbox: RunningSandbox, postgres: PostgresServer, tmp_path: Path) -> dict[str, str]:
    """The settings that all servers of a fleet share."""
    return fleet_environment(sandbox, postgres, tmp_path)
