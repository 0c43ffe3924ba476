"""The operator's rules, as a pure decision: given an intent and the ledger's facts, let it pass or say why not.

No text from outside moves this: only numbers, normalised identifiers and a person's answer to a question bound to
exactly this payment.
"""

from __future__ import annotations

from dataclasses import dataclass

from blikk_payments.errors import ConfirmationRequired, ErrorCode, PolicyDenied, PossibleDuplicate
from blikk_payments.identifiers import holder_of_iban
from blikk_payments.models import ClaimState, Facts, PaymentIntent, Question, QuestionKind

_EQUAL = "an equal payment (same account, same amount) was made under another key"
_IN_DOUBT = "it is not known whether an earlier payment of another amount to the same account was paid"


@dataclass(frozen=True, slots=True)
class AllowedCreditor:
    """One entry of the list of creditors: an account (its key) or a person's or company's kennitala, never both."""

    account_key: str = ""
    kennitala: str = ""

    def covers(self, intent: PaymentIntent) -> bool:
        """Whether this entry lets the intent's creditor be paid.

        A kennitala covers only an account that it can be tied to: an Icelandic IBAN whose holder's digits are the same.
        The creditor's kennitala alone is the agent's word, and a BBAN names no holder.
        """
        if self.account_key:
            return intent.account_key == self.account_key
        return intent.creditor_ssn == self.kennitala == holder_of_iban(intent.creditor_iban)


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's limits. Amounts are whole krónur; a day is a UTC day, which is Iceland's."""

    max_amount_isk: int = 100_000
    daily_limit_isk: int = 500_000
    allowed_creditors: tuple[AllowedCreditor, ...] = ()
    ask_above_isk: int | None = None
    creates_per_minute: int = 10
    duplicate_window_minutes: int = 1440

    def check(self, intent: PaymentIntent, facts: Facts, *, can_ask: bool, confirmed: Question | None) -> None:
        """Let the intent pass, or raise.

        `can_ask`: the client can put a question to a person. `confirmed`: the question a person has said yes to.

        Raises:
            PolicyDenied: a limit or the list of creditors says no.
            PossibleDuplicate: an equal payment, or one to the same account that may have been paid, stands in the way
                and nobody can be asked about it.
            ConfirmationRequired: a person has to be asked first; it carries the question.
        """
        self._check_limits(intent, facts)
        for equal in facts.possible_duplicates:
            if equal.state is not ClaimState.CREATED:
                raise PossibleDuplicate(_unconfirmable(equal.state), equal, confirmable=False)
        kinds = self._questions(intent, facts)
        if not kinds:
            return
        # An equal payment is asked about first. The word for it covers what else is in doubt about the account.
        earlier = next(iter((*facts.possible_duplicates, *facts.unknown_to_account)), None)
        if can_ask:
            question = _question(intent, facts.warnings(intent), kinds, earlier.name if earlier else "")
            if confirmed != question:
                raise ConfirmationRequired("a person has to confirm this payment first", question, earlier)
            return
        if QuestionKind.ABOVE_THRESHOLD in kinds:
            raise PolicyDenied(
                f"payments above {self.ask_above_isk} ISK need a person's confirmation, and this client cannot ask for it",
                code=ErrorCode.CONFIRMATION_REQUIRED,
            )
        if earlier is not None and intent.confirmed_duplicate_of != earlier.name:
            raise PossibleDuplicate(_EQUAL if facts.possible_duplicates else _IN_DOUBT, earlier, confirmable=True)

    def _questions(self, intent: PaymentIntent, facts: Facts) -> frozenset[QuestionKind]:
        """Why a person would have to be asked about this payment."""
        reasons = {
            QuestionKind.ABOVE_THRESHOLD: self.ask_above_isk is not None and intent.amount_isk > self.ask_above_isk,
            QuestionKind.DUPLICATE: bool(facts.possible_duplicates),
            QuestionKind.IN_DOUBT: bool(facts.unknown_to_account),
        }
        return frozenset(kind for kind, applies in reasons.items() if applies)

    def _check_limits(self, intent: PaymentIntent, facts: Facts) -> None:
        if self.allowed_creditors and not any(entry.covers(intent) for entry in self.allowed_creditors):
            raise PolicyDenied(
                "this creditor is not on the operator's list (BLIKK_ALLOWED_CREDITORS)",
                code=ErrorCode.CREDITOR_NOT_ALLOWED,
            )
        if intent.amount_isk > self.max_amount_isk:
            raise PolicyDenied(f"one payment may be {self.max_amount_isk} ISK at most (BLIKK_MAX_AMOUNT_ISK)")
        room = max(0, self.daily_limit_isk - facts.reserved_today_isk)
        if intent.amount_isk > room:
            raise PolicyDenied(
                f"the day's limit is {self.daily_limit_isk} ISK and {room} ISK of it are left (BLIKK_DAILY_LIMIT_ISK)"
            )
        if facts.claims_last_minute >= self.creates_per_minute:
            raise PolicyDenied(
                f"{self.creates_per_minute} new payments a minute at most (BLIKK_CREATES_PER_MINUTE)",
                code=ErrorCode.RATE_LIMITED,
            )


def _unconfirmable(state: ClaimState) -> str:
    if state is ClaimState.UNKNOWN:
        return (
            "an equal payment (same account, same amount) was sent under another key and it is not known whether it was "
            "paid: someone has to look in Blikk's merchant portal, and the operator to resolve it; no confirmation can "
            "override this"
        )
    return "an equal payment (same account, same amount) is being sent under another key right now"


def _question(
    intent: PaymentIntent, warnings: tuple[str, ...], kinds: frozenset[QuestionKind], duplicate_of: str
) -> Question:
    return Question(
        kinds=kinds,
        idempotency_key=intent.idempotency_key,
        amount_isk=intent.amount_isk,
        creditor_name=intent.creditor_name,
        creditor_ssn=intent.creditor_ssn,
        account_key=intent.account_key,
        masked_account=intent.masked_account,
        duplicate_of=duplicate_of,
        warnings=warnings,
        purpose=intent.purpose,
    )
