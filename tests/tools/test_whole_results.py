"""What an agent and a person are told, held whole: each state, error and question, in both languages, every field of it.

The other tests say which rule a word follows; these show every word that changes. `make docs` writes the snapshots.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from blikk_payments.channel.links import check_link
from blikk_payments.channel.wire import Status
from blikk_payments.errors import (
    ErrorCode,
    OutcomeUnknown,
    PaymentRejected,
    PaymentsError,
    PossibleDuplicate,
    StatusUnavailable,
)
from blikk_payments.ledger.protocol import RESOLVED_NOT_CREATED
from blikk_payments.models import ClaimState, Payment, Question, QuestionKind, other_amount
from blikk_payments.snapshot import Snapshot, with_state_error
from blikk_tools.arguments import Subject
from blikk_tools.create_payment import CreatePaymentArguments
from blikk_tools.instructions import Presentation, Shown
from blikk_tools.outcomes import HumanAction
from blikk_tools.phrases import PERSON, WARNINGS, Language
from blikk_tools.refusal import of_error
from blikk_tools.result import Result
from tests.payments.factories import KENNITALA, KEY, LINK, a_record, only_blikks
from tests.tools.calls import LANGUAGES, arguments, result_of

FOLDER = Path(__file__).parent / "snapshots"
PUNYCODE = "https://xn--bnk-0qa.example/approve/1"
WITHHELD = "https://bank.example:8443/approve"
CAUTIONS = ("holder_differs", "mixed_alphabets", "lookalike_name", "equal_payment", "earlier_in_doubt")
OTHER = other_amount(99_990, "EUR")


def check(name: str, parts: Iterator[tuple[str, str]]) -> None:
    """Hold them against the snapshot."""
    text = "".join(f"== {title}\n{told}\n\n" for title, told in parts)
    file = FOLDER / name
    if os.environ.get("UPDATE_SNAPSHOTS"):
        FOLDER.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()


def whole(result: Result, language: Language) -> str:
    """Every field that is not empty, a line each; in Icelandic those alone that are told in it."""
    told = result.model_dump(mode="json", include=None if language == "en" else {"human_instruction", "warnings"})
    fields = {name: value for name, value in told.items() if value not in ("", 0, False)}
    return "\n".join(f"{name}: {str(value).replace(chr(10), chr(10) + '    ')}" for name, value in fields.items())


def waiting(status: Status = Status.SCA_REQUIRED, **fields: Any) -> Payment:
    """A payment that waits for a person."""
    given: dict[str, Any] = {"approval_url": LINK, "purpose": "Coffee", **fields}
    return a_record(status, **given)


def states() -> Iterator[tuple[str, Payment, dict[str, Any]]]:
    """Every way a payment can stand that is told in words of its own."""
    yield "a link", waiting(), {}
    yield "a link that replaces another", waiting(), {"replaces": True}
    yield "a link given long ago", waiting(), {"lapsed": True}
    yield "a link in another alphabet", waiting(approval_url=PUNYCODE), {}
    yield "a link that is withheld", waiting(approval_url=WITHHELD), {"lapsed": True}
    yield "no link", waiting(approval_url=""), {"lapsed": True}
    yield "to register", waiting(Status.USER_ONBOARDING_REQUIRED), {"replaces": True}
    yield "with every caution", waiting(warnings=CAUTIONS), {}
    yield "with what only an agent is told", waiting(warnings=("foreign_iban", "kennitala_doubtful")), {}
    yield "a replay", waiting(), {"replayed": True}
    yield "that is not written down", waiting(), {"recorded": False}
    yield "read some time ago", waiting(), {"fresh": False}
    for status in Status:
        yield f"{status}", a_record(status), {}
        yield f"{status}, of another amount", a_record(status, warnings=(OTHER, "equal_payment"), approval_url=LINK), {}
        yield f"{status}, that only Blikk knows", only_blikks(status, approval_url=LINK), {}
    yield "being sent", a_record(state=ClaimState.SENDING), {}
    yield "unknown", a_record(state=ClaimState.UNKNOWN), {}
    yield "unknown, of another amount", a_record(state=ClaimState.UNKNOWN, warnings=(OTHER,)), {}
    yield "refused", a_record(state=ClaimState.REFUSED, refusal_code="over_limit"), {}
    yield "found not to be made", a_record(state=ClaimState.REFUSED, refusal_code=RESOLVED_NOT_CREATED), {}
    yield "with the bank's words", a_record(Status.REJECTED, bank_text="No funds."), {}


def presented(language: Language, environment: str = "production") -> Presentation:
    """To people of that language."""
    return Presentation(environment, language, "pay.example")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_is_told_as_the_snapshot_says(language: Language) -> None:
    """With what had gone wrong where that is known from the ledger."""

    def told() -> Iterator[tuple[str, str]]:
        for title, payment, how in states():
            about_link = {name: how[name] for name in ("replaces", "lapsed") if name in how}
            of_snapshot: dict[str, Any] = {"fresh": True, **{name: how[name] for name in how if name not in about_link}}
            snapshot = with_state_error(Snapshot(payment, **of_snapshot))
            yield title, whole(result_of(snapshot, presented(language), **about_link), language)
        known = (("waiting", waiting()), ("only Blikk's", only_blikks(None)), ("paid", a_record(Status.SUCCESS)))
        for code, (title, payment) in product(ErrorCode, known):
            snapshot = Snapshot(payment, error=StatusUnavailable("why", code=code, bank_text="said"))
            yield f"{title}, unread: {code}", whole(result_of(snapshot, presented(language)), language)
        for environment, title in product(("stage", "sandbox", "custom"), ("a link", "refused", "SUCCESS")):
            (payment,) = [payment for name, payment, _ in states() if name == title]
            result = result_of(with_state_error(Snapshot(payment, fresh=True)), presented(language, environment))
            yield f"{title}, {environment}", whole(result, language)

    check(f"states-{language}.txt", told())


def errors() -> Iterator[tuple[str, PaymentsError]]:
    """Everything that a call can end in."""
    for code in ErrorCode:
        yield str(code), PaymentRejected("why", code=code, bank_text="said")
    unknown, paid, sending = (
        a_record(state=ClaimState.UNKNOWN),
        a_record(Status.SUCCESS),
        a_record(state=ClaimState.SENDING),
    )
    for title, earlier in (("unknown", unknown), ("paid", paid), ("being sent", sending)):
        for confirmable, unanswered in product((True, False), repeat=2):
            error = PossibleDuplicate("why", earlier, confirmable=confirmable, unanswered=unanswered)
            how = f"{'' if confirmable else 'not '}confirmable{', unanswered' if unanswered else ''}"
            yield f"possible_duplicate of one that is {title}, {how}", error
    yield "outcome_unknown itself", OutcomeUnknown("why")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_is_told_as_the_snapshot_says(language: Language) -> None:
    """After each of the tools: the same code says something else. A wait is a question like any other."""
    asked = CreatePaymentArguments.model_validate(arguments(creditor_name="J\u03ccn", purpose="Coffee")).subject()
    subjects = {
        "create_payment": asked,
        "get_payment_status": Subject("", KEY),
        "list_payments": Subject(),
    }

    def told() -> Iterator[tuple[str, str]]:
        for tool, (title, error) in product(subjects, errors()):
            if tool == "create_payment" or not isinstance(error, PossibleDuplicate):
                yield f"{tool}: {title}", whole(of_error(error, tool, presented(language), subjects[tool]), language)
        unread = PaymentRejected("why", code=ErrorCode.INVALID_ARGUMENTS)
        result = of_error(unread, "create_payment", presented(language))
        yield "create_payment that never became one", whole(result, language)

    check(f"errors-{language}.txt", told())
    for _, error in errors():
        after_waiting = of_error(error, "await_payment", presented(language), Subject("pay-1"))
        assert after_waiting == of_error(error, "get_payment_status", presented(language), Subject("pay-1"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_question_is_asked_as_the_snapshot_says(language: Language) -> None:
    """Before a payment, and with a link that the client opens; and what a progress report says."""
    kinds = (
        {QuestionKind.ABOVE_THRESHOLD},
        {QuestionKind.DUPLICATE},
        {QuestionKind.IN_DOUBT},
        {QuestionKind.ABOVE_THRESHOLD, QuestionKind.DUPLICATE},
        {QuestionKind.ABOVE_THRESHOLD, QuestionKind.IN_DOUBT},
        {QuestionKind.DUPLICATE, QuestionKind.IN_DOUBT},
    )

    def told() -> Iterator[tuple[str, str]]:
        for number, (chosen, environment) in enumerate(product(kinds, ("production", "sandbox"))):
            warnings = CAUTIONS if number % 3 == 0 else ()
            question = Question(
                frozenset(chosen),
                KEY,
                1_234_000,
                "Kaffihúsið ehf.",
                KENNITALA,
                "IS",
                "0159-26-•••654",
                "pay-9",
                warnings,
                "Kaffi",
            )
            presentation = presented(language, environment)
            told = f"{presentation.question(question)}\n[ ] {presentation.tick_box(question)}"
            yield f"{', '.join(sorted(chosen))}, {environment}", told
        for payment, action, replaces in product(
            (waiting(), waiting(warnings=CAUTIONS)), (HumanAction.OPEN_LINK, HumanAction.ONBOARDING), (False, True)
        ):
            message = presented(language, "custom").link_message(
                Shown.of(payment), check_link(LINK), action, replaces=replaces
            )
            yield f"{action}{', replaces' if replaces else ''}, {len(payment.warnings)} cautions", message
        for what in ("person", "bank", "answer", "nothing"):
            yield f"waiting for {what}", presented(language).waiting(what)
        for code in WARNINGS[language]:
            yield f"warning {code}", presented(language).warning(OTHER if OTHER.startswith(code) else code, 1000)

    check(f"questions-{language}.txt", told())


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_is_left_out_of_the_snapshots(language: Language) -> None:
    """A phrase that no state shows could change unseen, or is one that nobody needs."""
    held = "".join((FOLDER / f"{name}-{language}.txt").read_text() for name in ("states", "errors", "questions"))
    plain = " ".join(held.split())
    for table in (PERSON[language], WARNINGS[language]):
        missing = [code for code, words in table.items() if not all(part in plain for part in fixed_parts(words))]
        assert missing == []


def fixed_parts(words: str) -> list[str]:
    """What of a phrase is not filled in."""
    return [" ".join(part.split()) for part in re.split(r"\{\w+\}", words) if part.strip()]
