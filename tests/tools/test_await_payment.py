"""`await_payment` as a tool: how long it waits, when it comes back early, and what it reports meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from blikk_payments.channel.links import Link
from blikk_payments.channel.wire import Status
from blikk_tools.link_history import Answer, LinkHistory, Opener
from tests.expecting import assert_fields
from tests.payments.doubles import Step, after, never, unread
from tests.payments.factories import LINK, NEWER_LINK, answer
from tests.tools.calls import ToolHarness, arguments, desk

pytestmark = pytest.mark.anyio


async def waited(at: ToolHarness, **changes: Any) -> tuple[str, float]:
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
        assert_fields(result, outcome="needs_human", human_action="open_link", approval_url=LINK)


# A client that opens the link for the person


class Browser(Opener):
    """A client's way to open links: answers after so long, and remembers what it was asked and told."""

    def __init__(self, *answers: Answer, seconds: float = 0.0) -> None:
        self.answers = deque(answers)
        self.seconds = seconds
        self.asked: list[str] = []
        self.messages: list[str] = []
        self.finished_with: list[str] = []

    async def open(self, link: Link, message: str, link_id: str) -> Answer:
        """Ask the person."""
        self.asked.append(link_id)
        self.messages.append(message)
        await anyio.sleep(self.seconds)
        return self.answers.popleft()

    async def finished(self, link_id: str) -> None:
        """Hear that the link has done its work."""
        self.finished_with.append(link_id)


@asynccontextmanager
async def opening(tmp_path: Path, browser: Browser, **changes: Any) -> AsyncGenerator[ToolHarness]:
    """A payment that waits for a person, and a client that opens links."""
    async with desk(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as at:
        at.opener = browser
        await at.call("create_payment", arguments(**changes))
        yield at


async def test_a_link_that_nobody_answered_for_in_time_is_asked_about_again(tmp_path: Path) -> None:
    """Neither yes nor no: a person who was away must not lose their link, or the caller the wait."""
    browser = Browser("accept", seconds=8)
    async with opening(tmp_path, browser) as at:
        assert await waited(at, wait_seconds=5) == ("needs_human", pytest.approx(5, abs=0.1))
        assert await waited(at, wait_seconds=20) == ("needs_human", pytest.approx(20, abs=0.1))
        assert await waited(at, wait_seconds=5) == ("needs_human", pytest.approx(5, abs=0.1))
    assert len(browser.asked) == 2


@pytest.mark.parametrize(
    ("said", "warned"),
    [("decline", "declined"), ("cancel", "closed without an answer")],
)
async def test_a_link_that_was_not_opened_is_not_asked_about_again(tmp_path: Path, said: Answer, warned: str) -> None:
    """The answer is told once, at once; a later wait holds unless the person declined."""
    browser = Browser(said)
    async with opening(tmp_path, browser) as at:
        result = await at.call("await_payment", {"payment_id": "pay-1"})
        assert warned in result.warnings
        assert (result.outcome, result.approval_url) == ("needs_human", LINK)
        held = 0 if said == "decline" else 7
        assert await waited(at, wait_seconds=7) == ("needs_human", pytest.approx(held, abs=0.1))
    assert len(browser.asked) == 1


async def test_however_often_links_are_handed_over_the_wait_ends_at_its_time(tmp_path: Path) -> None:
    """A wait has one time, with a bound, for all of its looks: a client gives up a call that takes longer."""
    browser = Browser("accept", "accept", seconds=4)
    async with opening(tmp_path, browser) as at:
        at.house.channel.tell("pay-1", Status.SCA_REQUIRED, NEWER_LINK, at=6)
        assert await waited(at, wait_seconds=12) == ("needs_human", pytest.approx(12, abs=0.1))
        assert len(set(browser.asked)) == 2


@pytest.mark.parametrize(("wait", "opened_after"), [(6, 5), (1, 2)])
async def test_a_look_after_the_link_was_opened_ends_within_the_time_of_the_whole_wait(
    tmp_path: Path, wait: int, opened_after: float
) -> None:
    """A wait ends at most 3 s after its time, also when Blikk hangs once the person has answered."""
    browser = Browser("accept", seconds=opened_after)
    async with opening(tmp_path, browser) as at:
        at.house.channel.reads.append(answer(Status.SCA_REQUIRED, LINK, payment_id="pay-1"))
        at.house.channel.every_read = never
        _, seconds = await waited(at, wait_seconds=wait)
    assert seconds <= wait + 3
    assert len(browser.asked) == 1


async def test_the_client_is_told_once_that_an_opened_link_has_done_its_work(tmp_path: Path) -> None:
    """MCP: one completion notice a link, and none for one that nobody opened."""
    answers: dict[Answer, int] = {"accept": 1, "decline": 0}
    for said, notices in answers.items():
        browser = Browser(said)
        folder = tmp_path / said
        folder.mkdir(0o700)
        async with opening(folder, browser) as at:
            await at.call("await_payment", {"payment_id": "pay-1", "wait_seconds": 1})
            assert browser.finished_with == []
            at.house.channel.tell("pay-1", Status.SUCCESS)
            for _ in range(3):
                assert (await waited(at))[0] == "paid"
        assert browser.finished_with == browser.asked[:notices]


async def test_a_payment_that_ends_while_the_client_is_asked_ends_the_wait(tmp_path: Path) -> None:
    """The person approved in their bank's app, and the client's question stands open."""
    browser = Browser("accept", seconds=20)
    async with opening(tmp_path, browser) as at:
        at.house.channel.tell("pay-1", Status.SUCCESS, at=5)
        assert await waited(at) == ("paid", pytest.approx(5, abs=1.1))
    assert len(browser.asked) == 1


async def test_a_client_that_answers_at_once_is_waited_for_no_longer(tmp_path: Path) -> None:
    """Who closed the question has to be told of by the agent now, and not when the wait's time is up."""
    async with opening(tmp_path, Browser("cancel")) as at:
        assert await waited(at) == ("needs_human", pytest.approx(0, abs=0.1))


async def test_a_ledger_that_fails_while_the_client_is_asked_is_told_as_what_it_is(tmp_path: Path) -> None:
    """ledger_unavailable, and not an internal error because two things were waited for."""
    async with opening(tmp_path, Browser("accept", seconds=8)) as at:

        async def breaking() -> Step:
            at.house.ledger.broken = {"by_payment_id"}
            return answer(Status.SCA_REQUIRED, LINK, payment_id="pay-1")

        at.house.channel.reads.append(breaking)
        failed = await at.call("await_payment", {"payment_id": "pay-1"})
        assert (failed.outcome, failed.error_code) == ("unknown", "ledger_unavailable")


async def test_a_payee_to_be_careful_about_is_told_in_a_result_before_a_client_opens_the_link(tmp_path: Path) -> None:
    """A client may show a link and little of its words: only a result shows a caution for certain."""
    browser = Browser("accept")
    async with opening(tmp_path, browser, creditor_name="J\u03ccn") as at:
        # Another process, or a restart: nobody was given a result here yet.
        at.links = LinkHistory()
        result = await at.call("await_payment", {"payment_id": "pay-1", "wait_seconds": 5})
        assert (result.human_action, browser.asked) == ("open_link", [])
        assert "different alphabets" in result.human_instruction
        await waited(at, wait_seconds=5)
        assert len(browser.asked) == 1
        assert "different alphabets" in browser.messages[0]


async def test_another_payments_link_is_no_word_on_this_ones_payee(tmp_path: Path) -> None:
    """That somebody read a result of one payment says nothing of what they know of the next."""
    browser = Browser("accept")
    async with opening(tmp_path, browser, creditor_name="J\u03ccn") as at:
        at.links = LinkHistory()
        at.links.record_given("pay-2", Link(LINK, "bank.example", punycode=False))
        result = await at.call("await_payment", {"payment_id": "pay-1", "wait_seconds": 5})
    assert (result.human_action, browser.asked) == ("open_link", [])


async def test_without_a_caution_a_client_opens_the_link_at_once(tmp_path: Path) -> None:
    """There is nothing that has to be read first."""
    browser = Browser("accept")
    async with opening(tmp_path, browser) as at:
        at.links = LinkHistory()
        await waited(at, wait_seconds=5)
    assert len(browser.asked) == 1


async def test_a_failed_read_in_between_is_forgotten_and_one_at_the_end_is_told(tmp_path: Path) -> None:
    """503 does not end a wait; a read that fails adds the error_code."""
    async with desk(tmp_path, answer(Status.PENDING)) as at:
        at.house.channel.tell("pay-1", Status.PENDING)
        await at.call("create_payment", arguments())
        at.house.channel.reads.append(unread(503))
        assert (await at.call("await_payment", {"payment_id": "pay-1"})).error_code == ""
        at.house.channel.every_read = unread(503)
        failed = await at.call("await_payment", {"payment_id": "pay-1"})
        assert_fields(failed, outcome="pending", error_code="blikk_unavailable", payment_id="pay-1")


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
