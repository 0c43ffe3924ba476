"""The promises of a create under everything that agents, bank, operator and fate can do, in any order."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.payments.steps.machine import Payments
from tests.postgres import PostgresServer

pytestmark = pytest.mark.slow

STEPS_AT_LEAST = 5_000
STEPS_AT_LEAST_ON_POSTGRESQL = 400
SETTINGS = settings(
    stateful_step_count=50,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
THOROUGH, SHORT = settings(SETTINGS, max_examples=200), settings(SETTINGS, max_examples=20)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Without what the product says of processes that die."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_whatever_happens_in_whatever_order_the_promises_hold(capsys: pytest.CaptureFixture[str]) -> None:
    """Create, retry, crash, restart, resolve, time, two processes: the invariants hold for thousands of steps."""
    assert steps_of(Payments, THOROUGH, capsys) >= STEPS_AT_LEAST


def test_they_hold_with_the_ledger_in_postgresql(postgres: PostgresServer, capsys: pytest.CaptureFixture[str]) -> None:
    """The state machine on both engines. A sample: a step takes ten times as long there."""

    class OnPostgres(Payments):
        server = postgres.address

    assert steps_of(OnPostgres, SHORT, capsys) >= STEPS_AT_LEAST_ON_POSTGRESQL


def steps_of(machine: type[Payments], search: settings, capsys: pytest.CaptureFixture[str]) -> int:
    """Run it; how many steps it took."""
    machine.steps = 0
    run_state_machine_as_test(machine, settings=search)  # pyright: ignore[reportUnknownMemberType] - untyped there
    with capsys.disabled():
        print(f"\n{machine.steps} steps of the state machine", end="")  # noqa: T201 - asked for
    return machine.steps
