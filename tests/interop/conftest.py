"""Fixtures of the tests with other makers' clients."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.node import Node, installed_node
from tests.interop.report import Row, page


@pytest.fixture(scope="session")
def node() -> Node:
    """Node.js with the clients installed."""
    return installed_node()


@pytest.fixture(scope="session")
def clients(request: pytest.FixtureRequest) -> Iterator[list[Row]]:
    """What was exercised with which client; written to the page that BLIKK_CLIENTS_PAGE names, if all went well."""
    rows: list[Row] = []
    yield rows
    target = os.environ.get("BLIKK_CLIENTS_PAGE")
    if target and rows and not request.session.testsfailed:
        Path(target).write_text(page(rows), encoding="utf-8")
