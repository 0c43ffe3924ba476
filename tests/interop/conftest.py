"""Fixtures of the tests with other makers' clients."""

from __future__ import annotations

import pytest

from tests.interop.node import Node, installed_node


@pytest.fixture(scope="session")
def node() -> Node:
    """Node.js with the clients installed."""
    return installed_node()
