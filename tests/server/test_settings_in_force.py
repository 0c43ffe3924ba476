"""Each setting in force: what it changes for an agent, through a real client and at the bank."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from blikk_mcp.payments import presentation_of
from blikk_mcp.settings.settings import read_settings
from blikk_payments.channel.wire import Status
from blikk_sandbox.running import RunningSandbox
from blikk_tools.instructions import Presentation
from tests.payments.doubles import virtual_time
from tests.payments.factories import LINK, answer
from tests.sandbox_control import control, received
from tests.server.running import PAYMENT, call, connected, environment
from tests.server.tasks.client import task_client

pytestmark = pytest.mark.anyio

OTHER = {**PAYMENT, "amount": 600, "idempotency_key": "order-0002"}
EQUAL = {**PAYMENT, "idempotency_key": "order-0002"}


@pytest.mark.parametrize(
    ("settings", "payments", "codes"),
    [
        ({}, [PAYMENT, OTHER], ["", ""]),
        ({"BLIKK_MAX_AMOUNT_ISK": "999"}, [PAYMENT, OTHER], ["over_limit", ""]),
        ({"BLIKK_DAILY_LIMIT_ISK": "1500"}, [PAYMENT, OTHER], ["", "over_limit"]),
        ({"BLIKK_ALLOWED_CREDITORS": "0159-26-007655"}, [PAYMENT], ["creditor_not_allowed"]),
        ({"BLIKK_ALLOWED_CREDITORS": "0159-26-007654"}, [PAYMENT], [""]),
        ({"BLIKK_ASK_ABOVE_ISK": "999"}, [PAYMENT, OTHER], ["confirmation_required", ""]),
        ({"BLIKK_CREATES_PER_MINUTE": "1"}, [PAYMENT, OTHER], ["", "rate_limited"]),
        ({}, [PAYMENT, EQUAL], ["", "possible_duplicate"]),
        ({"BLIKK_DUPLICATE_WINDOW_MINUTES": "0"}, [PAYMENT, EQUAL], ["", ""]),
    ],
)
async def test_the_operators_rules_are_in_force(
    sandbox: RunningSandbox, tmp_path: Path, settings: dict[str, str], payments: list[Any], codes: list[str]
) -> None:
    """A limit that is read and handed to nobody is no limit."""
    async with connected(environment(sandbox, tmp_path, **settings)) as client:
        got = [(await call(client, "create_payment", payment))["error_code"] for payment in payments]
    assert got == codes
    assert len(received(sandbox)) == codes.count("")


async def test_the_person_who_approves_is_told_to_the_bank(sandbox: RunningSandbox, tmp_path: Path) -> None:
    """BLIKK_SCA_USER_SSN."""
    async with connected(environment(sandbox, tmp_path, BLIKK_SCA_USER_SSN="010130-7789")) as client:
        await call(client, "create_payment", PAYMENT)
    (payment,) = control(sandbox, "record")["payments"]
    assert payment["sca_user_ssn"] == "0101307789"


async def test_the_account_that_pays_is_told_to_the_bank(sandbox: RunningSandbox, tmp_path: Path) -> None:
    """BLIKK_DEBTOR_BBAN is for a channel without an account of its own: this one has one, and says so."""
    async with connected(environment(sandbox, tmp_path, BLIKK_DEBTOR_BBAN="0159-26-007654")) as client:
        created = await call(client, "create_payment", PAYMENT)
    assert created["error_code"] == "rejected_by_blikk"


def test_results_are_told_under_the_settings() -> None:
    """Environment, language, and the hosts of Blikk and of banks that an approval link may have."""
    given = {
        "BLIKK_API_KEY": "a-key-for-this-test",
        "BLIKK_LEDGER": "/nowhere/ledger.sqlite3",
        "BLIKK_BASE_URL": "https://stage.blikk.tech/paymentchannel",
        "BLIKK_LANGUAGE": "is",
        "BLIKK_SCA_HOSTS": "Bank.example.is, app.example.is",
    }
    hosts = ("bank.example.is", "app.example.is")
    assert presentation_of(read_settings(given)) == Presentation("stage", "is", "stage.blikk.tech", hosts, False)
    assert presentation_of(read_settings({**given, "BLIKK_BASE_URL": "http://127.0.0.1:9"})).loopback


async def test_what_people_read_is_in_the_language_of_the_settings(sandbox: RunningSandbox, tmp_path: Path) -> None:
    """BLIKK_LANGUAGE is for the person; the words for the model and the program stay."""
    async with connected(environment(sandbox, tmp_path, BLIKK_LANGUAGE="is")) as client:
        created = await call(client, "create_payment", PAYMENT)
    assert "samþykktu" in created["human_instruction"]
    assert (created["outcome"], created["human_action"]) == ("needs_human", "open_link")


@pytest.mark.parametrize("anyio_backend", [virtual_time()], ids=["virtual time"])
@pytest.mark.parametrize(("asked", "seconds"), [({}, 10), ({"wait_seconds": 5}, 5), ({"wait_seconds": 45}, 20)])
async def test_a_wait_takes_as_long_as_the_settings_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, anyio_backend: Any, asked: dict[str, Any], seconds: float
) -> None:
    """BLIKK_WAIT_SECONDS where the call does not say, BLIKK_MAX_WAIT_SECONDS whatever it says."""
    settings = {"BLIKK_WAIT_SECONDS": "10", "BLIKK_MAX_WAIT_SECONDS": "20"}
    async with task_client(monkeypatch, tmp_path, answer(Status.SCA_REQUIRED, LINK), settings=settings) as client:
        await client.create()
        started = anyio.current_time()
        await client.wait(declares={}, **asked)
        assert anyio.current_time() - started == pytest.approx(seconds, abs=0.1)
