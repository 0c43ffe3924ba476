"""`await_payment` as a tool: how long it waits, when it comes back early, and what it reports meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from blikk_payments.channel.wire import Status
from tests.payments.doubles import LINK, after, answer, unread, virtual_time
from tests.tools.calls import Desk, arguments, desk

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Sleeps take no time."""
    return virtual_time()


async def waited(at: Desk, **changes: Any) -> tuple[str, float]:
    """The outcome of a wait for the usual payment, and how long it took."""
    started = anyio.current_time()
    result = await at.call("await_payment", {"payment_id": "pay-1", **changes})
    return result.outcome.value, anyio.current_time() - started


@pytest.mark.parametrize(
    ("asked_for", "expected"),
    [({}, 25), ({"wait_seconds": 0}, 25), ({"wait_seconds": 7}, 7), ({"wait_seconds": 45}, 45)],
)
async def test_it_waits_as_long_as_it_is_told(tmp_path: Path, asked_for: dict[str, int], expected: float) -> None:
    """BLIKK_WAIT_SECONDS is the default, 25; 0 is the default too, since models send it for "unset"."""
    async with desk(tmp_path, answer(Status.PENDING)) as at:
        await at.call("create_payment", arguments())
        assert await waited(at, **asked_for) == ("pending", pytest.approx(expected, abs=0.1))


@pytest.mark.parametrize("asked_for", [46, 3_600, 10**30])
async def test_a_longer_wait_than_the_cap_is_taken_as_the_cap(tmp_path: Path, asked_for: int) -> None:
    """BLIKK_MAX_WAIT_SECONDS: a larger wait_seconds than the cap is taken as the cap, 45."""
    async with desk(tmp_path, answer(Status.PENDING)) as at:
        await at.call("create_payment", arguments())
        assert await waited(at, wait_seconds=asked_for) == ("pending", pytest.approx(45, abs=0.1))


@pytest.mark.parametrize("url", [LINK, ""])
@pytest.mark.parametrize("status", [Status.SCA_REQUIRED, Status.USER_ONBOARDING_REQUIRED])
async def test_it_comes_back_at_once_where_a_person_has_to_act_and_was_not_told(
    tmp_path: Path, status: Status, url: str
) -> None:
    """Returns when a person has to act and `human_informed` is false, which is its default."""
    async with desk(tmp_path, answer(status, url)) as at:
        await at.call("create_payment", arguments())
        assert await waited(at) == ("needs_human", pytest.approx(0, abs=0.1))
        assert await waited(at, human_informed=False) == ("needs_human", pytest.approx(0, abs=0.1))


async def test_with_the_person_informed_it_waits_for_the_end(tmp_path: Path) -> None:
    """human_informed true: only the end or the time ends the wait."""
    async with desk(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as at:
        at.house.channel.tell("pay-1", Status.SUCCESS, at=20)
        await at.call("create_payment", arguments())
        assert await waited(at, human_informed=True, wait_seconds=5) == ("needs_human", pytest.approx(5, abs=0.1))
        assert await waited(at, human_informed=True) == ("paid", pytest.approx(15, abs=1.1))


async def test_when_the_time_is_up_the_link_is_still_there(tmp_path: Path) -> None:
    """The state so far: a person who lost the link gets it again."""
    async with desk(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as at:
        await at.call("create_payment", arguments())
        result = await at.call("await_payment", {"payment_id": "pay-1", "human_informed": True, "wait_seconds": 10})
        assert (result.outcome, result.human_action, result.approval_url) == ("needs_human", "open_link", LINK)


async def test_a_failed_read_in_between_is_forgotten_and_one_at_the_end_is_told(tmp_path: Path) -> None:
    """503 does not end a wait; a read that fails adds the error_code."""
    async with desk(tmp_path, answer(Status.PENDING)) as at:
        at.house.channel.tell("pay-1", Status.PENDING)
        await at.call("create_payment", arguments())
        at.house.channel.reads.append(unread(503))
        assert (await at.call("await_payment", {"payment_id": "pay-1"})).error_code == ""
        at.house.channel.every_read = unread(503)
        failed = await at.call("await_payment", {"payment_id": "pay-1"})
        assert (failed.outcome, failed.error_code, failed.payment_id) == ("pending", "blikk_unavailable", "pay-1")


async def test_progress_rises_and_says_whom_it_waits_for(tmp_path: Path) -> None:
    """Progress while it waits; the words say whether a person or the bank is waited for."""
    async with desk(tmp_path, answer(Status.PENDING)) as at:
        at.house.channel.every_read = after(0.05, answer(Status.PENDING, payment_id="pay-1"))
        await at.call("create_payment", arguments())
        await waited(at, wait_seconds=10)
        at.house.channel.every_read = after(0.05, answer(Status.SCA_REQUIRED, LINK, payment_id="pay-1"))
        of_bank = len(at.progress)
        await waited(at, wait_seconds=10, human_informed=True)
    assert {message for *_, message in at.progress[:of_bank]} == {"Waiting for the bank"}
    assert at.progress[-1][2] == "Waiting for the person to approve at their bank"
    for reports in (at.progress[:of_bank], at.progress[of_bank:]):
        gone = [done for done, *_ in reports]
        assert gone == sorted(set(gone))
        assert {of for _, of, _ in reports} == {10}
