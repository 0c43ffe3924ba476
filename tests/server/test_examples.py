"""The examples run as they are documented."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_plain_client_pays_and_says_so() -> None:
    """An example that does not run is worse than none."""
    ended = subprocess.run(
        [sys.executable, "agent_examples/plain_client.py", "--approve"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "create_payment, get_payment_status, await_payment" in ended.stdout
    assert "outcome: paid (Blikk says SUCCESS)" in ended.stdout
