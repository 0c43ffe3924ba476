"""What a person is told of a link beyond the link: that it takes another one's place, and that it may have lapsed."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from blikk_payments.channel.links import Link
from blikk_payments.channel.wire import Status
from blikk_payments.models import LINK_MAY_HAVE_LAPSED_SECONDS
from blikk_tools.instructions import Presentation, Shown
from blikk_tools.link_history import MAX_PAYMENTS, ElicitedLink, LinkHistory
from blikk_tools.outcomes import HumanAction
from blikk_tools.phrases import PERSON, WARNINGS, Language
from tests.payments.factories import LINK, NEWER_LINK, answer
from tests.tools.calls import LANGUAGES, ToolHarness, arguments, desk

BY_ID = {"payment_id": "pay-1"}


async def told(at: ToolHarness, tool: str = "get_payment_status") -> tuple[bool, bool]:
    """Whether the person is told that the link replaces another one, and that it may have lapsed."""
    result = await at.call(tool, arguments() if tool == "create_payment" else BY_ID)
    words = PERSON[at.presentation.language]
    lapsed = words["lapsed"] in result.human_instruction
    assert lapsed == (WARNINGS[at.presentation.language]["lapsed"] in result.warnings)
    return words["replaces"] in result.human_instruction, lapsed


@pytest.mark.anyio
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("tool", ["create_payment", "get_payment_status", "await_payment"])
async def test_a_newer_link_says_that_it_replaces_the_older_one(tmp_path: Path, tool: str, language: Language) -> None:
    """A person with two links opens the wrong one."""
    async with desk(tmp_path, answer(Status.SCA_REQUIRED, LINK), presentation=Presentation(language=language)) as at:
        assert await told(at, "create_payment") == (False, False)
        assert await told(at, tool) == (False, False)
        at.house.channel.tell("pay-1", Status.SCA_REQUIRED, NEWER_LINK)
        assert await told(at, tool) == (True, False)
        # Who missed the first telling needs it too.
        assert await told(at) == (True, False)


@pytest.mark.anyio
async def test_a_link_that_nobody_was_given_is_not_replaced(tmp_path: Path) -> None:
    """A draft can carry a link that is another one once a person has to act."""
    async with desk(tmp_path, answer(Status.DRAFT, LINK)) as at:
        at.house.channel.tell("pay-1", Status.SCA_REQUIRED, NEWER_LINK)
        assert await told(at, "create_payment") == (False, False)


@pytest.mark.anyio
@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_link_that_has_been_pending_for_long_may_have_lapsed(tmp_path: Path, language: Language) -> None:
    """Links live for minutes; a lapsed one shows at Blikk as an error, some time."""
    async with desk(tmp_path, answer(Status.SCA_REQUIRED, LINK), presentation=Presentation(language=language)) as at:
        await told(at, "create_payment")
        await anyio.sleep(LINK_MAY_HAVE_LAPSED_SECONDS - 10)
        assert await told(at) == (False, False)
        await anyio.sleep(10)
        assert await told(at) == (False, True)
        # A newer one is new.
        at.house.channel.tell("pay-1", Status.SCA_REQUIRED, NEWER_LINK)
        assert await told(at) == (True, False)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("status", "url"), [(Status.SCA_REQUIRED, ""), (Status.SCA_COMPLETE, LINK), (Status.SUCCESS, LINK)]
)
async def test_only_a_link_that_is_shown_can_lapse(tmp_path: Path, status: Status, url: str) -> None:
    """The bank's app has no link; and who has approved needs none any more."""
    async with desk(tmp_path, answer(Status.SCA_REQUIRED, LINK)) as at:
        await told(at, "create_payment")
        await anyio.sleep(LINK_MAY_HAVE_LAPSED_SECONDS * 2)
        at.house.channel.tell("pay-1", status, url)
        assert await told(at) == (False, False)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_client_that_opens_the_link_itself_says_so_too(language: Language) -> None:
    """The words beside the link are all that a person sees there."""
    presentation, link = Presentation(language=language), Link(LINK, "bank.example", punycode=False)
    shown = Shown(1_000, "Kaffihúsið ehf.", "0159-26-•••654")
    first, second = (
        presentation.link_message(shown, link, HumanAction.OPEN_LINK, replaces=replaces).split("\n")
        for replaces in (False, True)
    )
    assert [line for line in second if line not in first] == [PERSON[language]["replaces"]]


def test_the_oldest_links_are_forgotten() -> None:
    """Memory stays bounded."""
    history = LinkHistory()
    links = [Link(url, "bank.example", punycode=False) for url in (LINK, NEWER_LINK)]
    for number in range(MAX_PAYMENTS + 1):
        assert not history.record_given(f"pay-{number}", links[0])
    assert not history.record_given("pay-0", links[1])
    # One that is given again is not the oldest any more.
    history.record_given("pay-2", links[0])
    history.record_given("pay-new", links[0])
    assert not history.was_given("pay-3")
    assert history.was_given("pay-2")
    assert history.record_given(f"pay-{MAX_PAYMENTS}", links[1])


def test_what_is_known_of_one_payments_links_says_nothing_of_anothers() -> None:
    """Two payments at once: each has its own link, its own words, and its own question to the person."""
    links = LinkHistory()
    first, second = (Link(url, "bank.example", punycode=False) for url in (LINK, NEWER_LINK))
    assert [links.was_given(payment) for payment in ("pay-1", "pay-2")] == [False, False]
    assert not links.record_given("pay-1", None)
    assert not links.was_given("pay-1")
    assert not links.record_given("pay-1", first)
    links.record_elicited("pay-1", ElicitedLink("e-1", first.url, "accept"))
    assert [links.was_given(payment) for payment in ("pay-1", "pay-2")] == [True, False]
    assert links.elicited("pay-2") is None
    assert not links.record_given("pay-2", second)
    links.record_elicited("pay-2", ElicitedLink("e-2", second.url, "decline"))
    assert [found.link_id for payment in ("pay-1", "pay-2") if (found := links.elicited(payment))] == ["e-1", "e-2"]
    assert not links.record_given("pay-1", first)
    assert links.record_given("pay-1", second)
