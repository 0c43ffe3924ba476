"""The skill's two bills: what is played is what the skill says. No conversation is played here."""

from __future__ import annotations

from inspect_ai.model import ChatMessageSystem, ChatMessageUser

from blikk_evals.scripted.bills import SKILL_TITLE, Plain, Skilled
from blikk_evals.scripted.talk import Talk
from blikk_evals.skill import EXPECTED, SCRIPTED, bill_scenarios, bills, skill_text, task

BILLS = {scenario.id: scenario for scenario in bill_scenarios()}


def talk_of(name: str) -> Talk:
    """The conversation as it begins."""
    return Talk.of([ChatMessageUser(content=BILLS[name].asks)], frozenset())


def test_there_are_two_bills_and_both_ways_are_expected_to_differ() -> None:
    assert len(BILLS) == 2
    assert all(set(row) == set(BILLS) for row in EXPECTED.values())
    with_skill, without = EXPECTED.values()
    assert all(with_skill[name] != without[name] for name in BILLS)


def test_the_key_of_the_bill_that_was_paid_is_the_one_that_the_skill_makes() -> None:
    (earlier,) = BILLS["bill_paid_elsewhere"].world.earlier
    assert f"`{earlier.key}`" in skill_text()
    (order,) = Skilled().orders(talk_of("bill_paid_elsewhere"))
    assert order.key == earlier.key
    (order,) = Plain().orders(talk_of("bill_paid_elsewhere"))
    assert order.key != earlier.key


def test_the_skill_says_what_the_claim_is_recognised_by() -> None:
    assert all(word in skill_text() for word in ("greiðsluseðill", "seðilnúmer", "krafa"))
    assert Skilled().turn(talk_of("bill_is_a_claim")).calls == ()
    assert Plain().turn(talk_of("bill_is_a_claim")).calls


def test_the_seller_is_read_and_not_the_buyer() -> None:
    (order,) = Plain().orders(talk_of("bill_paid_elsewhere"))
    assert (order.kennitala, order.account) == ("551073-0339", "0159-26-007654")
    assert Plain().amount(order.amount_text) == 4900


def test_the_skill_is_in_what_one_agent_is_told_and_not_in_what_the_other_is() -> None:
    assert bills is not None
    for skilled in (True, False):
        for sample in task(SCRIPTED, skilled=skilled, epochs=1).dataset:
            assert isinstance(sample.input, list)
            first = sample.input[0]
            assert isinstance(first, ChatMessageSystem)
            assert (SKILL_TITLE in first.text) is skilled
