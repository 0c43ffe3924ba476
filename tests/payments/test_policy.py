"""The operator's rules: each with its boundary, what a person's yes covers, and what nobody can say yes to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from blikk_payments.channel.wire import Status
from blikk_payments.errors import ConfirmationRequired, PaymentsError, PolicyDenied, PossibleDuplicate
from blikk_payments.models import (
    LOOKALIKE_NAME,
    ClaimState,
    Facts,
    PaymentIntent,
    PaymentRecord,
    Question,
    QuestionKind,
)
from blikk_payments.policy import AllowedCreditor, Policy
from tests.payments.factories import (
    BBAN,
    FOREIGN_IBAN,
    IBAN,
    KENNITALA,
    OTHER_BBAN,
    OTHER_KENNITALA,
    OTHER_KEY,
    a_record,
    an_intent,
    iban_of,
)

EARLIER = a_record(Status.PENDING, idempotency_key=OTHER_KEY, payment_id="pay-9")
UNKNOWN = a_record(idempotency_key=OTHER_KEY, state=ClaimState.UNKNOWN)
SENDING = a_record(idempotency_key=OTHER_KEY, state=ClaimState.SENDING)


def check(
    policy: Policy,
    intent: PaymentIntent | None = None,
    facts: Facts | None = None,
    *,
    can_ask: bool = False,
    confirmed: Question | None = None,
) -> str:
    """`""` if the payment may go, else the code of the refusal."""
    try:
        policy.check(intent or an_intent(), facts or Facts(), can_ask=can_ask, confirmed=confirmed)
    except PaymentsError as error:
        return error.code
    return ""


def question_of(policy: Policy, intent: PaymentIntent, facts: Facts | None = None) -> Question:
    """What a person would be asked before this payment."""
    with pytest.raises(ConfirmationRequired) as caught:
        policy.check(intent, facts or Facts(), can_ask=True, confirmed=None)
    return caught.value.question


def equals(*records: PaymentRecord) -> Facts:
    """What the ledger says when these equal payments are in it."""
    return Facts(possible_duplicates=records)


# Limits


@pytest.mark.parametrize(("amount", "expected"), [(99_999, ""), (100_000, ""), (100_001, "over_limit")])
def test_a_payment_may_be_as_large_as_the_limit_and_no_krona_larger(amount: int, expected: str) -> None:
    """BLIKK_MAX_AMOUNT_ISK: most that one payment may be."""
    assert expected == check(Policy(max_amount_isk=100_000, daily_limit_isk=10**9), an_intent(amount_isk=amount))


@pytest.mark.parametrize(("amount", "expected"), [(1_000, ""), (1_001, "over_limit")])
def test_a_days_payments_may_add_up_to_the_limit_and_no_further(amount: int, expected: str) -> None:
    """BLIKK_DAILY_LIMIT_ISK: most that one day's payments may add up to."""
    facts = Facts(reserved_today_isk=499_000)
    assert expected == check(Policy(daily_limit_isk=500_000), an_intent(amount_isk=amount), facts)


def test_a_day_that_is_over_its_limit_already_has_no_room_rather_than_less_than_none() -> None:
    """The operator may lower the limit in the middle of a day."""
    with pytest.raises(PolicyDenied, match="and 0 ISK of it are left"):
        Policy(daily_limit_isk=1_000).check(an_intent(), Facts(reserved_today_isk=5_000), can_ask=False, confirmed=None)


@pytest.mark.parametrize(("let_through", "expected"), [(9, ""), (10, "rate_limited"), (11, "rate_limited")])
def test_as_many_payments_a_minute_as_the_limit_says_are_let_through(let_through: int, expected: str) -> None:
    """BLIKK_CREATES_PER_MINUTE: new payments that a ledger lets through in a minute."""
    assert expected == check(Policy(creates_per_minute=10), facts=Facts(claims_last_minute=let_through))


def test_the_defaults_are_the_documented_ones() -> None:
    """The settings table: 100,000 a payment, 500,000 a day, 10 a minute, a day's window, any creditor, no asking."""
    assert Policy(100_000, 500_000, (), None, 10, 1440) == Policy()


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (Facts(499_500, 10, (UNKNOWN,)), "creditor_not_allowed"),
        (Facts(0, 10, (UNKNOWN,)), "creditor_not_allowed"),
    ],
)
def test_a_creditor_who_may_not_be_paid_is_said_first(facts: Facts, code: str) -> None:
    """What the operator never allows is not hidden behind what may pass tomorrow."""
    policy = Policy(max_amount_isk=10, allowed_creditors=(AllowedCreditor(account_key="IS" + OTHER_BBAN),))
    assert code == check(policy, facts=facts)


@pytest.mark.parametrize(
    ("policy", "facts", "code"),
    [
        (Policy(max_amount_isk=999), Facts(500_000, 10, (UNKNOWN,)), "over_limit"),
        (Policy(), Facts(500_000, 10, (UNKNOWN,)), "over_limit"),
        (Policy(), Facts(0, 10, (UNKNOWN,)), "rate_limited"),
        (Policy(ask_above_isk=0), Facts(0, 9, (UNKNOWN,)), "possible_duplicate"),
        (Policy(ask_above_isk=0), Facts(0, 9, (EARLIER,)), "confirmation_required"),
        (Policy(), Facts(0, 9, (EARLIER,)), "possible_duplicate"),
    ],
)
def test_the_rules_are_asked_from_the_firmest_to_the_one_a_person_can_answer(
    policy: Policy, facts: Facts, code: str
) -> None:
    """Nobody is asked about a payment that could not be made after a yes either."""
    assert code == check(policy, facts=facts)


@pytest.mark.parametrize(
    ("policy", "facts"),
    [
        (Policy(max_amount_isk=999, ask_above_isk=0), Facts()),
        (Policy(ask_above_isk=0), Facts(reserved_today_isk=500_000)),
        (Policy(ask_above_isk=0), Facts(claims_last_minute=10)),
        (Policy(ask_above_isk=0, allowed_creditors=(AllowedCreditor(kennitala=OTHER_KENNITALA),)), Facts()),
    ],
)
def test_no_persons_yes_lifts_a_limit(policy: Policy, facts: Facts) -> None:
    """Limits and lists are the operator's, and a question is the only thing that a yes answers."""
    yes = question_of(replace(policy, max_amount_isk=10**9, allowed_creditors=()), an_intent())
    assert check(policy, facts=facts, can_ask=True, confirmed=yes) in {
        "over_limit",
        "rate_limited",
        "creditor_not_allowed",
    }


# The list of creditors


@pytest.mark.parametrize("account", [{"iban": IBAN}, {"bban": BBAN}, {"iban": iban_of(BBAN, OTHER_KENNITALA)}])
def test_an_account_on_the_list_covers_the_account_however_it_is_written(account: dict[str, Any]) -> None:
    """BLIKK_ALLOWED_CREDITORS: IBAN or BBAN, the same account either way."""
    policy = Policy(allowed_creditors=(AllowedCreditor(account_key="IS" + BBAN),))
    assert check(policy, an_intent(**account)) == ""


@pytest.mark.parametrize("account", [{"iban": iban_of(OTHER_BBAN)}, {"bban": OTHER_BBAN}, {"iban": FOREIGN_IBAN}])
def test_an_account_on_the_list_covers_no_other_account_of_the_same_holder(account: dict[str, Any]) -> None:
    """BLIKK_ALLOWED_CREDITORS: an account entry must match the account."""
    policy = Policy(allowed_creditors=(AllowedCreditor(account_key="IS" + BBAN),))
    assert check(policy, an_intent(**account)) == "creditor_not_allowed"


def test_a_foreign_account_on_the_list_covers_that_account() -> None:
    """BLIKK_ALLOWED_CREDITORS: comma-separated accounts; a foreign IBAN is an account too."""
    policy = Policy(allowed_creditors=(AllowedCreditor(account_key=FOREIGN_IBAN),))
    assert check(policy, an_intent(iban=FOREIGN_IBAN)) == ""
    assert check(policy, an_intent(iban=IBAN)) == "creditor_not_allowed"


@pytest.mark.parametrize(
    ("intent", "expected"),
    [
        (an_intent(iban=IBAN, ssn=KENNITALA), ""),
        (an_intent(iban=iban_of(OTHER_BBAN), ssn=KENNITALA), ""),
        (an_intent(iban=iban_of(BBAN, OTHER_KENNITALA), ssn=KENNITALA), "creditor_not_allowed"),
        (an_intent(iban=IBAN, ssn=OTHER_KENNITALA), "creditor_not_allowed"),
        (an_intent(bban=BBAN, ssn=KENNITALA), "creditor_not_allowed"),
        (an_intent(iban=FOREIGN_IBAN, ssn=KENNITALA), "creditor_not_allowed"),
    ],
    ids=["holder", "holder's other account", "another's account", "another's kennitala", "bban", "foreign"],
)
def test_a_kennitala_on_the_list_covers_only_an_account_that_it_is_tied_to(
    intent: PaymentIntent, expected: str
) -> None:
    """BLIKK_ALLOWED_CREDITORS: it must match creditor_ssn and the holder's digits, and does not cover a BBAN."""
    assert expected == check(Policy(allowed_creditors=(AllowedCreditor(kennitala=KENNITALA),)), intent)


def test_one_entry_that_covers_is_enough() -> None:
    """BLIKK_ALLOWED_CREDITORS is a list of alternatives."""
    entries = (AllowedCreditor(kennitala=OTHER_KENNITALA), AllowedCreditor(account_key="IS" + BBAN))
    assert check(Policy(allowed_creditors=entries), an_intent(bban=BBAN)) == ""


# Asking above an amount


@pytest.mark.parametrize(("amount", "expected"), [(5_000, ""), (5_001, "confirmation_required")])
@pytest.mark.parametrize("can_ask", [True, False])
def test_a_person_has_to_say_yes_to_what_is_above_the_amount(amount: int, expected: str, can_ask: bool) -> None:
    """BLIKK_ASK_ABOVE_ISK: above this a person must confirm; a client that cannot ask is refused."""
    assert expected == check(Policy(ask_above_isk=5_000), an_intent(amount_isk=amount), can_ask=can_ask)


def test_a_client_that_cannot_ask_gets_no_question_to_answer_by_itself() -> None:
    """BLIKK_ASK_ABOVE_ISK: a client that cannot ask is refused, whatever it claims a person said."""
    policy = Policy(ask_above_isk=500)
    with pytest.raises(PolicyDenied) as caught:
        policy.check(an_intent(), Facts(), can_ask=False, confirmed=question_of(policy, an_intent()))
    assert not isinstance(caught.value, ConfirmationRequired)
    assert caught.value.code == "confirmation_required"


def test_the_persons_yes_lets_the_payment_pass() -> None:
    """BLIKK_ASK_ABOVE_ISK: a person must confirm, and has."""
    policy = Policy(ask_above_isk=500)
    assert check(policy, can_ask=True, confirmed=question_of(policy, an_intent())) == ""


def test_the_question_says_amount_payee_and_account_and_why_it_is_asked() -> None:
    """A yes is bound to amount, payee, account and key."""
    question = question_of(Policy(ask_above_isk=500), an_intent(purpose="Kaffi"))
    assert question == Question(
        kinds=frozenset({QuestionKind.ABOVE_THRESHOLD}),
        idempotency_key="order-0001",
        amount_isk=1_000,
        creditor_name="Kaffihúsið ehf.",
        creditor_ssn=KENNITALA,
        account_key="IS" + BBAN,
        masked_account="0159-26-•••654",
        purpose="Kaffi",
    )


def test_the_question_carries_every_warning_and_a_yes_without_one_is_no_yes_with_it() -> None:
    """A person has to be warned before they say yes, and not after."""
    policy, intent = Policy(ask_above_isk=500), replace(an_intent(), warnings=("holder_differs",))
    warned = question_of(policy, intent, Facts(lookalike=True))
    assert warned.warnings == ("holder_differs", LOOKALIKE_NAME)
    unwarned = question_of(policy, intent)
    assert unwarned.warnings == ("holder_differs",)
    with pytest.raises(ConfirmationRequired) as caught:
        policy.check(intent, Facts(lookalike=True), can_ask=True, confirmed=unwarned)
    assert caught.value.question == warned
    policy.check(intent, Facts(lookalike=True), can_ask=True, confirmed=warned)


def test_a_question_about_a_duplicate_does_not_warn_of_it_besides() -> None:
    """The question's own words say so."""
    intent = replace(an_intent(), confirmed_duplicate_of="pay-1")
    assert question_of(Policy(), intent, Facts(possible_duplicates=(a_record(),))).warnings == ()


@pytest.mark.parametrize(
    "change",
    [
        {"amount_isk": 1_001},
        {"key": OTHER_KEY},
        {"iban": iban_of(OTHER_BBAN)},
        {"ssn": OTHER_KENNITALA},
        {"name": "Kaffihusið ehf."},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_yes_to_one_payment_is_no_yes_to_another(change: dict[str, Any]) -> None:
    """An answer borrowed from another payment confirms nothing."""
    policy = Policy(ask_above_isk=500)
    yes = question_of(policy, an_intent())
    assert check(policy, an_intent(**change), can_ask=True, confirmed=yes) == "confirmation_required"


def test_a_yes_to_the_amount_is_no_yes_to_a_second_payment() -> None:
    """An equal payment that was made while the person was reading is a new question."""
    policy = Policy(ask_above_isk=500)
    yes = question_of(policy, an_intent())
    assert check(policy, facts=equals(EARLIER), can_ask=True, confirmed=yes) == "confirmation_required"


def test_a_yes_to_a_second_payment_is_no_yes_to_a_third() -> None:
    """A yes to a duplicate names the payment that it is a duplicate of."""
    yes = question_of(Policy(), an_intent(), equals(EARLIER))
    newer = replace(EARLIER, payment_id="pay-10", idempotency_key="order-0003")
    assert check(Policy(), facts=equals(newer, EARLIER), can_ask=True, confirmed=yes) == "confirmation_required"


def test_both_reasons_make_one_question() -> None:
    """A person is asked once a payment."""
    question = question_of(Policy(ask_above_isk=500), an_intent(), equals(EARLIER))
    assert question.kinds == {QuestionKind.ABOVE_THRESHOLD, QuestionKind.DUPLICATE}
    assert question.duplicate_of == "pay-9"


def test_a_questions_repr_holds_no_kennitala_and_no_account() -> None:
    """Reprs end in logs, and no kennitala or account may be there."""
    question = question_of(Policy(ask_above_isk=500), an_intent())
    assert [secret for secret in (KENNITALA, BBAN, IBAN) if secret in repr(question)] == []


# Possible duplicates


@pytest.mark.parametrize("status", [Status.DRAFT, Status.PENDING, Status.SCA_REQUIRED, Status.SUCCESS, Status.OTHER])
def test_an_equal_payment_that_is_open_or_paid_holds_the_next_one_up(status: Status) -> None:
    """Another key, equal payment: possible_duplicate, naming the earlier one."""
    earlier = replace(EARLIER, status=status)
    with pytest.raises(PossibleDuplicate) as caught:
        Policy().check(an_intent(), equals(earlier), can_ask=False, confirmed=None)
    assert (caught.value.earlier.payment_id, caught.value.confirmable) == ("pay-9", True)


@pytest.mark.parametrize(
    ("named", "expected"), [("pay-9", ""), ("pay-8", "possible_duplicate"), ("", "possible_duplicate")]
)
def test_without_a_way_to_ask_the_earlier_payments_id_lets_it_pass(named: str, expected: str) -> None:
    """confirmed_duplicate_of: suffices for a client that cannot ask, and only for the payment that is named."""
    assert expected == check(Policy(), an_intent(confirmed_duplicate_of=named), equals(EARLIER))


def test_the_id_to_name_is_that_of_the_newest_of_several() -> None:
    """The one that a possible_duplicate refusal names."""
    newest = replace(EARLIER, payment_id="pay-10", idempotency_key="order-0003")
    facts = equals(newest, EARLIER)
    assert check(Policy(), an_intent(confirmed_duplicate_of="pay-9"), facts) == "possible_duplicate"
    assert check(Policy(), an_intent(confirmed_duplicate_of="pay-10"), facts) == ""


def test_a_client_that_can_ask_is_asked_although_the_model_says_that_it_is_meant() -> None:
    """A client that can ask is always asked, also when confirmed_duplicate_of is given."""
    intent = an_intent(confirmed_duplicate_of="pay-9")
    assert check(Policy(), intent, equals(EARLIER), can_ask=True) == "confirmation_required"
    yes = question_of(Policy(), intent, equals(EARLIER))
    assert yes.kinds == {QuestionKind.DUPLICATE}
    assert check(Policy(), intent, equals(EARLIER), can_ask=True, confirmed=yes) == ""


def test_confirmed_duplicate_of_does_not_answer_the_question_about_the_amount() -> None:
    """A client that cannot ask: confirmation_required above the threshold, duplicate or not."""
    policy = Policy(ask_above_isk=500)
    assert check(policy, an_intent(confirmed_duplicate_of="pay-9"), equals(EARLIER)) == "confirmation_required"


@pytest.mark.parametrize("can_ask", [True, False])
@pytest.mark.parametrize(
    "records", [(UNKNOWN,), (EARLIER, UNKNOWN), (UNKNOWN, EARLIER)], ids=["alone", "older", "newer"]
)
def test_an_unknown_outcome_can_be_confirmed_away_by_nobody(records: tuple[PaymentRecord, ...], can_ask: bool) -> None:
    """An earlier one whose outcome is unknown holds up and cannot be confirmed away: only `ledger resolve` ends that."""
    intent = an_intent(confirmed_duplicate_of="pay-9")
    yes = question_of(Policy(), intent, equals(EARLIER))
    with pytest.raises(PossibleDuplicate, match="not known") as caught:
        Policy().check(intent, equals(*records), can_ask=can_ask, confirmed=yes)
    assert (caught.value.earlier, caught.value.confirmable) == (UNKNOWN, False)


@pytest.mark.parametrize("can_ask", [True, False])
def test_an_equal_payment_that_is_being_sent_holds_up_and_has_no_id_to_confirm(can_ask: bool) -> None:
    """It is open, and what becomes of it is known in a moment."""
    with pytest.raises(PossibleDuplicate, match="right now") as caught:
        Policy().check(an_intent(), equals(SENDING), can_ask=can_ask, confirmed=None)
    assert caught.value.confirmable is False


@pytest.mark.parametrize(
    ("policy", "facts", "can_ask", "message"),
    [
        (
            Policy(allowed_creditors=(AllowedCreditor(kennitala=OTHER_KENNITALA),)),
            Facts(),
            False,
            "this creditor is not on the operator's list (BLIKK_ALLOWED_CREDITORS)",
        ),
        (Policy(max_amount_isk=999), Facts(), False, "one payment may be 999 ISK at most (BLIKK_MAX_AMOUNT_ISK)"),
        (
            Policy(daily_limit_isk=1_500),
            Facts(reserved_today_isk=600),
            False,
            "the day's limit is 1500 ISK and 900 ISK of it are left (BLIKK_DAILY_LIMIT_ISK)",
        ),
        (
            Policy(creates_per_minute=3),
            Facts(claims_last_minute=3),
            False,
            "3 new payments a minute at most (BLIKK_CREATES_PER_MINUTE)",
        ),
        (
            Policy(ask_above_isk=500),
            Facts(),
            False,
            "payments above 500 ISK need a person's confirmation, and this client cannot ask for it",
        ),
        (Policy(ask_above_isk=500), Facts(), True, "a person has to confirm this payment first"),
        (
            Policy(),
            equals(EARLIER),
            False,
            "an equal payment (same account, same amount) was made under another key",
        ),
        (
            Policy(),
            Facts(unknown_to_account=(UNKNOWN,)),
            False,
            "it is not known whether an earlier payment of another amount to the same account was paid",
        ),
        (
            Policy(),
            equals(UNKNOWN),
            False,
            "an equal payment (same account, same amount) was sent under another key and it is not known whether it"
            " was paid: someone has to look in Blikk's merchant portal, and the operator to resolve it; no confirmation"
            " can override this",
        ),
        (
            Policy(),
            equals(SENDING),
            False,
            "an equal payment (same account, same amount) is being sent under another key right now",
        ),
    ],
    ids=[
        *("creditor", "amount", "day", "minute", "cannot ask", "can ask"),
        *("duplicate", "in doubt", "unknown", "sending"),
    ],
)
def test_a_refusal_says_what_stands_in_the_way_and_which_setting_it_is(
    policy: Policy, facts: Facts, can_ask: bool, message: str
) -> None:
    """An agent passes it on to a person, who has nothing else to go by."""
    with pytest.raises(PaymentsError) as caught:
        policy.check(an_intent(), facts, can_ask=can_ask, confirmed=None)
    assert (caught.value.message, str(caught.value)) == (message, message)


def test_an_equal_payment_is_asked_about_before_what_else_is_in_doubt_about_the_account() -> None:
    """It is the one that this payment would be a second of; a word for it covers the other."""
    doubtful = a_record(idempotency_key="order-0008", state=ClaimState.UNKNOWN)
    facts = Facts(possible_duplicates=(EARLIER,), unknown_to_account=(doubtful,))
    question = question_of(Policy(), an_intent(), facts)
    assert question.kinds == {QuestionKind.DUPLICATE, QuestionKind.IN_DOUBT}
    assert question.duplicate_of == "pay-9"
    with pytest.raises(PossibleDuplicate) as caught:
        Policy().check(an_intent(), facts, can_ask=False, confirmed=None)
    assert (caught.value.earlier, caught.value.confirmable) == (EARLIER, True)
    assert check(Policy(), an_intent(confirmed_duplicate_of="pay-9"), facts) == ""
    assert check(Policy(), an_intent(confirmed_duplicate_of="order-0008"), facts) == "possible_duplicate"


def test_a_refusal_says_the_rule_and_nothing_of_creditor_or_account() -> None:
    """The text of an error never holds a kennitala, an account or a name."""
    intent = an_intent(amount_isk=4_321)
    refusals: list[str] = []
    for policy, facts in (
        (Policy(allowed_creditors=(AllowedCreditor(kennitala=OTHER_KENNITALA),)), Facts()),
        (Policy(max_amount_isk=1), Facts()),
        (Policy(daily_limit_isk=1), Facts()),
        (Policy(creates_per_minute=0), Facts()),
        (Policy(ask_above_isk=1), Facts()),
        (Policy(), equals(EARLIER)),
        (Policy(), equals(UNKNOWN)),
        (Policy(), equals(SENDING)),
    ):
        with pytest.raises(PaymentsError) as caught:
            policy.check(intent, facts, can_ask=False, confirmed=None)
        refusals.append(caught.value.message)
    secrets = (KENNITALA, OTHER_KENNITALA, BBAN, IBAN, "Kaffi", "4321")
    assert [(secret, text) for secret in secrets for text in refusals if secret in text] == []
