"""The library for tasks by the makers of the protocol: it checks every message against the extension's own schemas."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.interop.node import HERE, Node, result_of
from tests.interop.recorder import recorded_server, revision_spoken
from tests.interop.report import Row, npm_version
from tests.server.running import PAYMENT

pytestmark = pytest.mark.node


def test_the_makers_own_client_waits_for_a_payment_and_cancels_a_wait(
    node: Node, tmp_path: Path, clients: list[Row]
) -> None:
    """SEP-2663, checked by others' code: created, asked for, completed, cancelled, and a handle that is none."""
    cancelled = {**PAYMENT, "amount": 2000, "idempotency_key": "order-0002"}
    orders = {
        "command": recorded_server(tmp_path),
        "python": sys.executable,
        "payments": [[dict(PAYMENT), "approve"], [cancelled, "cancel"]],
    }
    report = node.answer(str(HERE / "ext_tasks_client.mjs"), json.dumps(orders))

    approved, stopped = report["seen"]
    assert (approved["kind"], approved["status"], approved["task"]["status"]) == ("task", "completed", "completed")
    assert result_of(approved["result"])["outcome"] == "paid"
    assert (stopped["kind"], stopped["status"]) == ("task", "cancelled")
    assert "was not cancelled" in stopped["task"]["statusMessage"]
    assert report["unknown"] == -32602
    clients.append(
        Row(
            "MCP Tasks library (ext-tasks)",
            npm_version(HERE, "@modelcontextprotocol/ext-tasks"),
            revision_spoken(tmp_path),
            "a wait as a task, paid and cancelled",
        )
    )
