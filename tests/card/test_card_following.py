"""How the card follows a payment: when it asks again, when it stops, and how it speaks with its host. Time is virtual."""

from __future__ import annotations

from typing import Any

import pytest

from tests.card.host import LOOKS_AWAY, NOON, Host, answer

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

ENDED: dict[str, Any] = {"human_action": "none", "approval_url": "", "approval_host": "", "final": True}
PAID: dict[str, Any] = {**ENDED, "outcome": "paid", "status": "SUCCESS"}
FAILED: dict[str, Any] = {**ENDED, "outcome": "failed", "status": "REJECTED"}
UNREAD = "The status could not be checked just now. Trying again."
LEFT = "This card no longer follows the payment. Ask in the conversation."
NOT_OPENED = "The link could not be opened from here. Use the link in the conversation instead."


def failed(code: str = "blikk_unavailable") -> dict[str, Any]:
    """The answer of a reading that failed: nothing of the payment is known by it."""
    return answer(
        outcome="unknown", status="", amount=0, creditor_name="", human_action="none", approval_url="", error_code=code
    )


async def shown(host: Host, first: dict[str, Any] | None = None, afterwards: dict[str, Any] | None = None) -> None:
    """A card in a stopped time that shows `first`; whatever it asks is answered with `afterwards`."""
    host.scripted = lambda _: afterwards or answer({"made_at": NOON})
    await host.stop_the_clock()
    await host.start()
    await host.show(first or answer({"made_at": NOON}))
    await host.settles()


async def asks_after(host: Host, seconds: float) -> None:
    """The next question comes after so long, within a quarter of a second."""
    before = len(await host.noted("calls"))
    await host.passes(seconds - 0.25)
    assert len(await host.noted("calls")) == before, seconds
    for _ in range(10):
        await host.passes(0.05)
        if len(await host.noted("calls")) > before:
            return
    raise AssertionError(f"not asked within {seconds} s")


async def asks_no_more(host: Host) -> None:
    """Not within the longest step."""
    before = len(await host.noted("calls"))
    await host.passes(70)
    assert len(await host.noted("calls")) == before


async def test_it_asks_every_two_seconds_at_first_and_every_fifteen_at_last(host: Host) -> None:
    """A quarter longer each time, and from the beginning when something has changed."""
    await shown(host)
    for seconds in (2, 2.5, 3.1, 3.9, 4.9, 6.1, 7.6, 9.5, 11.9, 14.9, 15, 15):
        await asks_after(host, seconds)
    host.scripted = lambda _: answer({"made_at": NOON}, outcome="pending", status="PENDING", human_action="none")
    await asks_after(host, 15)
    await asks_after(host, 2)
    host.scripted = lambda _: answer({"made_at": NOON}, outcome="pending", status="SCA_COMPLETE", human_action="none")
    await asks_after(host, 2.5)
    await asks_after(host, 2)


async def test_while_readings_fail_it_asks_half_as_often_each_time(host: Host) -> None:
    """Up to a minute; the first that does not fail is followed at the usual pace, and the note is gone."""
    await shown(host, afterwards=failed())
    for seconds in (2, 4, 8, 16, 32, 60, 60):
        await asks_after(host, seconds)
        assert await host.text("note") == UNREAD
    host.scripted = lambda _: answer({"made_at": NOON})
    await asks_after(host, 60)
    assert await host.card.locator("#note").is_hidden()
    await asks_after(host, 15)


async def test_a_host_that_does_not_answer_is_a_failed_reading_after_half_a_minute(host: Host) -> None:
    """Whatever becomes of the question, the card goes on; an answer that comes too late is nothing to it."""
    await shown(host)
    await host.page.evaluate("host.silent = true")
    await host.passes(31)
    assert await host.card.locator("#note").is_hidden()
    await host.passes(2)
    assert await host.text("note") == UNREAD
    (asked,) = [message for message in await host.noted("said") if message.get("method") == "tools/call"]
    late = {"id": asked["id"], "result": answer(**PAID)}
    await host.page.evaluate("late => toCard(late)", late)
    await host.settles()
    assert await host.text("state") == "Waiting for your approval"
    await host.page.evaluate("host.silent = false")
    await asks_after(host, 3)
    assert await host.card.locator("#note").is_hidden()


@pytest.mark.parametrize("code", ["unauthorized", "wrong_channel", "not_found", "not_configured", "invalid_arguments"])
async def test_what_will_not_get_better_ends_the_following(host: Host, code: str) -> None:
    """Asking again would not help; what was known stays, without its link."""
    await shown(host, afterwards=failed(code))
    await asks_after(host, 2)
    assert await host.text("note") == LEFT
    assert await host.text("amount") == "12,500 ISK"
    assert await host.card.get_by_role("button").count() == 0
    await asks_no_more(host)
    await host.show(answer({"made_at": NOON + 60}))
    await host.settles()
    assert await host.card.locator("#note").is_hidden()
    await asks_after(host, 2)


@pytest.mark.parametrize("code", ["blikk_unavailable", "rate_limited", "ledger_unavailable", "internal_error"])
async def test_what_may_get_better_is_asked_again(host: Host, code: str) -> None:
    """The next reading may work."""
    await shown(host, afterwards=failed(code))
    await asks_after(host, 2)
    assert await host.text("note") == UNREAD
    await asks_after(host, 4)


async def test_an_answer_without_a_result_is_a_failed_reading(host: Host) -> None:
    """A host may pass on the text alone, or something that is none of ours."""
    nothing: list[dict[str, Any]] = [{}, {"content": []}, {"content": [{"type": "text", "text": "{"}]}]
    await shown(host, afterwards=nothing[0])
    seconds = 2.0
    for made_up in [*nothing, {"structuredContent": {"state": "x"}}]:
        host.scripted = lambda _, made_up=made_up: made_up
        await asks_after(host, seconds)
        assert (await host.text("note"), await host.text("amount")) == (UNREAD, "12,500 ISK")
        seconds *= 2
    text = answer({"made_at": NOON}, **PAID)
    del text["structuredContent"]
    host.scripted = lambda _: text
    await host.passes(60)
    assert await host.text("state") == "Paid"


@pytest.mark.parametrize("later", [answer(), failed("not_found"), answer(**FAILED)])
async def test_what_is_final_stays(host: Host, later: dict[str, Any]) -> None:
    """An older answer may come after a newer one: nothing undoes a payment that is paid."""
    await shown(host, answer(**PAID))
    await host.show(later)
    await host.settles()
    assert await host.text("state") == "Paid"
    assert await host.card.get_by_role("button").count() == 0
    await asks_no_more(host)


@pytest.mark.parametrize(
    ("argument", "value"),
    [("payment_id", "p-7"), ("idempotency_key", "order-0007")],
)
async def test_a_stopped_call_is_looked_up_by_what_it_was_for(host: Host, argument: str, value: str) -> None:
    """A stopped wait is of a payment's id, a stopped create of a key."""
    host.scripted = lambda _: answer({"made_at": NOON})
    await host.stop_the_clock()
    await host.start()
    await host.tell("ui/notifications/tool-input", {"arguments": {argument: value}})
    await host.tell("ui/notifications/tool-cancelled", {})
    await host.settles()
    assert await host.text("state") == "The request was stopped"
    await host.passes(0.1)
    assert await host.noted("calls") == [{"name": "get_payment_status", "arguments": {argument: value}}]
    assert await host.text("state") == "Waiting for your approval"


async def test_a_payment_without_an_id_yet_is_followed_by_its_key(host: Host) -> None:
    """Blikk has not answered yet: the key is all there is."""
    pending: dict[str, Any] = {"outcome": "pending", "status": "", "human_action": "none", "approval_url": ""}
    made_up = answer({"made_at": NOON}, **pending, payment_id="", idempotency_key="order-0007")
    await shown(host, made_up, answer({"made_at": NOON}, **pending, payment_id="p-7", idempotency_key="order-0007"))
    await asks_after(host, 2)
    await asks_after(host, 2.5)
    by_key, by_id = ({"idempotency_key": "order-0007"}, {"payment_id": "p-7"})
    assert [call["arguments"] for call in await host.noted("calls")] == [by_key, by_id]


async def test_a_stop_after_a_result_changes_nothing(host: Host) -> None:
    """What is known is known."""
    await shown(host)
    await host.tell("ui/notifications/tool-cancelled", {})
    await host.settles()
    assert await host.text("state") == "Waiting for your approval"


async def test_whoever_looks_again_has_one_question_asked_at_once(host: Host) -> None:
    """Nothing is asked while nobody looks, and not a second time while the first question is open."""
    await shown(host)
    await host.card.evaluate(LOOKS_AWAY, True)
    await asks_no_more(host)
    await host.page.evaluate("host.silent = true")
    for _ in range(3):
        await host.card.evaluate(LOOKS_AWAY, False)
        await host.passes(0.1)
        assert len(await host.noted("calls")) == 1
        await host.card.evaluate(LOOKS_AWAY, True)


async def test_a_link_that_became_old_meanwhile_is_fetched_and_not_opened(host: Host) -> None:
    """The button may have stood there while readings failed: a link is opened within a minute of its answer."""
    await shown(host, afterwards=failed())
    await host.passes(59)
    button = host.card.get_by_role("button")
    assert await button.count() == 1
    await host.page.clock.set_fixed_time(NOON + 61)
    asked = len(await host.noted("calls"))
    host.scripted = lambda _: answer({"made_at": NOON + 61}, approval_url="https://bank.example/approve/2")
    await button.click()
    await host.passes(0.1)
    assert await host.noted("opened") == []
    assert len(await host.noted("calls")) == asked + 1
    await button.click()
    await host.settles()
    assert await host.noted("opened") == ["https://bank.example/approve/2"]


async def test_after_the_button_was_pressed_it_is_asked_soon(host: Host) -> None:
    """The person is at their bank now."""
    await shown(host)
    for seconds in (2, 2.5, 3.1, 3.9):
        await asks_after(host, seconds)
    await host.card.get_by_role("button").click()
    await host.settles()
    await asks_after(host, 2)


async def test_a_host_that_does_not_answer_to_a_link_is_told_of_and_asked_again(host: Host) -> None:
    """Half a minute is enough for opening a page; another try takes the word back."""
    still_there = {"made_at": NOON + 30}
    await shown(host, afterwards=answer(still_there))
    await host.page.evaluate("host.silent = true")
    await host.card.get_by_role("button").click()
    await host.card.get_by_role("button").click()
    await host.page.evaluate("host.silent = false")
    await host.passes(31)
    assert await host.text("opening") == NOT_OPENED
    assert len(await host.noted("opened")) == 2
    await host.card.get_by_role("button").click()
    await host.settles()
    assert await host.text("opening") == ""
    host.assert_content()


async def test_the_handshake_is_that_of_the_revision(host: Host) -> None:
    """MCP Apps 2026-01-26: `ui/initialize`, its answer, `ui/notifications/initialized`, then the size."""
    await host.start()
    await host.settles()
    first, second, third, *_ = await host.noted("said")
    assert first["params"] == {
        "appInfo": {"name": "blikk-mcp", "version": "1"},
        "appCapabilities": {},
        "protocolVersion": "2026-01-26",
    }
    assert (first["jsonrpc"], first["method"]) == ("2.0", "ui/initialize")
    assert (second["method"], second["params"]) == ("ui/notifications/initialized", {})
    assert third["method"] == "ui/notifications/size-changed"


async def test_a_request_of_the_host_is_answered_with_its_id(host: Host) -> None:
    """JSON-RPC: `ping` with nothing, what is not known with -32601; a notice that is not known with nothing at all."""
    await host.start()
    assert (await host.page.evaluate("ask('ping', {})"))["result"] == {}
    unknown = await host.page.evaluate("ask('ui/whatever', {})")
    assert unknown["error"]["code"] == -32601
    await host.tell("ui/notifications/whatever", {})
    await host.page.evaluate("frame.contentWindow.postMessage({ method: 'ui/notifications/tool-cancelled' }, '*')")
    await host.page.evaluate("frame.contentWindow.postMessage('hello', '*')")
    await host.settles()
    assert await host.text("state") == "Getting the payment ready"
    host.assert_content()


async def test_after_its_end_the_card_asks_nothing_more(host: Host) -> None:
    """MCP Apps: `ui/resource-teardown`, also while a question is open."""
    await shown(host)
    await host.page.evaluate("host.silent = true")
    await host.passes(2)
    assert len(await host.noted("calls")) == 1
    assert (await host.page.evaluate("ask('ui/resource-teardown', {})"))["result"] == {}
    await asks_no_more(host)
    await host.card.evaluate(LOOKS_AWAY, False)
    await asks_no_more(host)


@pytest.mark.parametrize(
    ("locale", "language"),
    [("is", "is"), ("is-IS", "is"), ("IS", "is"), ("en-GB", "en"), ("iso", "en"), ("de", "en"), ("", "en")],
)
async def test_until_there_is_a_result_the_hosts_language_is_spoken(host: Host, locale: str, language: str) -> None:
    """After it, the result's own, as in `human_instruction`."""
    await host.start(locale=locale)
    await host.settles()
    assert await host.card.locator("html").get_attribute("lang") == language
    await host.show(answer({"language": "is" if language == "en" else "en"}))
    await host.tell("ui/notifications/host-context-changed", {"locale": locale or "en"})
    await host.settles()
    assert await host.card.locator("html").get_attribute("lang") != language


async def test_the_hosts_corners_and_font_are_worn_without_its_palette(host: Host) -> None:
    """Colours come as a whole or not at all; what is not a colour needs no company."""
    styles = {"variables": {"--border-radius-md": "3px", "--font-sans": "Georgia, serif", "--evil": "1px"}}
    await host.start(styles=styles, theme="purple")
    await host.show(answer())
    await host.settles()
    style = "element => [getComputedStyle(element).borderRadius, getComputedStyle(document.body).fontFamily]"
    assert await host.card.get_by_role("button").evaluate(style) == ["3px", "Georgia, serif"]
    own = await host.card.evaluate("document.documentElement.getAttribute('style')")
    assert "evil" not in own
    assert "scheme" not in own
