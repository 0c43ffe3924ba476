"""The promises of a create under everything that agents, bank, operator and fate can do, in any order."""

from __future__ import annotations

import logging

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.payments.steps.machine import Payments

pytestmark = pytest.mark.slow

STEPS_AT_LEAST = 5_000
THOROUGH = settings(
    max_examples=200,
    stateful_step_count=50,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def test_whatever_happens_in_whatever_order_the_promises_hold(capsys: pytest.CaptureFixture[str]) -> None:
    """Issue: create, retry, crash, restart, resolve, time, two processes: the invariants hold for thousands of steps."""
    Payments.steps = 0

    logging.disable(logging.CRITICAL)
    try:
        run_state_machine_as_test(Payments, settings=THOROUGH)  # pyright: ignore[reportUnknownMemberType] - untyped there
    finally:
        logging.disable(logging.NOTSET)

    with capsys.disabled():
        print(f"\n{Payments.steps} steps of the state machine", end="")  # noqa: T201 - asked for
    assert Payments.steps >= STEPS_AT_LEAST
