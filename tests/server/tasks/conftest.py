"""Time is virtual in these tests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.payments.doubles import virtual_time


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Sleeps take no time."""
    return virtual_time()
