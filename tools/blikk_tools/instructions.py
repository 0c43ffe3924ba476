"""What a person is told and asked, line by line: amount and payee first, then any caution, the link on its own line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from blikk_payments.channel.links import Link
from blikk_payments.errors import ErrorCode, PaymentsError, PossibleDuplicate
from blikk_payments.identifiers import format_amount, format_isk
from blikk_payments.models import (
    ClaimState,
    Payment,
    PaymentIntent,
    PaymentRecord,
    Question,
    QuestionKind,
    blikks_amount,
)
from blikk_tools.lines import fitted, joined, quoted
from blikk_tools.outcomes import HumanAction, Outcome
from blikk_tools.phrases import PERSON, QUOTES, WARNINGS, Language

THIS_CALL_ONLY = frozenset({ErrorCode.NOT_CONFIGURED, ErrorCode.LEDGER_UNAVAILABLE})
"""Errors of a create that say nothing of an earlier create with the same key."""

READ_AGAIN = frozenset({ErrorCode.BLIKK_UNAVAILABLE})
"""Errors of a read that the next read usually does not have: a person need not hear of them."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a person is shown of a payment; of one that only Blikk knows, the warnings alone. `warnings` are codes."""

    amount_isk: int | None = None
    creditor_name: str = ""
    masked_account: str = ""
    warnings: tuple[str, ...] = ()
    purpose: str = ""

    @classmethod
    def of(cls, payment: Payment | PaymentIntent | Question) -> Shown:
        """Take it from whatever is known of a payment."""
        if not isinstance(payment, (PaymentRecord, PaymentIntent, Question)):
            return cls(warnings=payment.warnings)
        return cls(payment.amount_isk, payment.creditor_name, payment.masked_account, payment.warnings, payment.purpose)


@dataclass(frozen=True, slots=True)
class Presentation:
    """How results are told here: the environment, the language for people, and which links may be shown."""

    environment: str = "production"
    language: Language = "en"
    blikk_host: str = ""
    sca_hosts: tuple[str, ...] = ()
    loopback: bool = False

    def warning(self, code: str, asked_isk: int | None = None) -> str:
        """Tell a warning, to model and person alike; `asked_isk` is what the payment was asked for with, if it is known."""
        name = code.partition("=")[0]
        asked = "ISK" if asked_isk is None else format_isk(asked_isk, self.language)
        return WARNINGS[self.language][name].format(figure=self.blikk_says((code,)), asked=asked)

    def human_instruction(
        self,
        outcome: Outcome,
        action: HumanAction,
        shown: Shown,
        link: Link | None,
        *,
        replaces: bool = False,
        lapsed: bool = False,
        withheld: bool = False,
    ) -> str:
        """Tell a person how the payment stands, word for word; `""` where there is nothing to know or do.

        `replaces`: the person was given another link before. `lapsed`: they have had this one for long. `withheld`:
        there is a link that may not be shown.
        """
        if blikks_amount(shown.warnings):
            return self._other_amount(outcome, shown)
        match outcome:
            case Outcome.PAID:
                return _text(self._payment(shown, "paid"))
            case Outcome.FAILED:
                return _text(self._payment(shown, "failed"), self._words("failed_end"))
            case Outcome.UNKNOWN:
                return _text(self._words("unknown"), self._payment(shown), self._words("unknown_end"))
            case Outcome.NEEDS_HUMAN if action is not HumanAction.NONE:
                return _text(
                    *self._approval(action, shown, link.host if link else "", replaces=replaces, withheld=withheld),
                    self._words("lapsed" if lapsed and link else "", "done"),
                    link=link,
                )
            case _:
                return ""

    def link_message(self, shown: Shown, link: Link, action: HumanAction, *, replaces: bool) -> str:
        """Tell a person what a link is for that their client opens; `replaces`: they were given another one before."""
        _, checks = self._approval(action, shown, link.host, replaces=replaces)
        # Claude Code's terminal shows three lines of it: who is paid, and what to be careful about, come first.
        what, *account = self._payment(shown)
        return _text([what], self._cautions(shown), account, self._words(action), checks)

    def question(self, question: Question) -> str:
        """Ask a person before a payment that the operator's rules want confirmed."""
        earlier = {QuestionKind.DUPLICATE: "ask_duplicate", QuestionKind.IN_DOUBT: "ask_in_doubt"}
        reasons = [words for kind, words in earlier.items() if kind in question.kinds] or ["ask"]
        above = "ask_above" if QuestionKind.ABOVE_THRESHOLD in question.kinds else ""
        # Claude Code's terminal shows three lines of this, too: who is paid, what to be careful about, why it is asked.
        what, *account = self._payment(Shown.of(question))
        cautions = self.cautions(question.warnings)
        return _text(
            [what], cautions, self._words(*reasons, above), account, self._environment(), self._words("ask_end")
        )

    def tick_box(self, question: Question) -> str:
        """Label the box that a person ticks to confirm."""
        (label,) = self._words("tick_box_again" if QuestionKind.DUPLICATE in question.kinds else "tick_box")
        return label

    def refusal(self, shown: Shown | None, code: ErrorCode | None, *, reason: str = "") -> str:
        """Tell a person that a payment was not made, and why; `""` where only the agent has something to correct.

        Without a code nothing is known but that it was not made. `reason` says more than the code does.
        """
        reason = reason or (f"because_{code}" if code else "")
        if reason and reason not in PERSON[self.language]:
            return ""
        heading = "not_sent_now" if code in THIS_CALL_ONLY else "not_made"
        return _text(self._words(heading), self._payment(shown) if shown else [], self._words(reason))

    def unread(self, shown: Shown | None, code: ErrorCode) -> str:
        """Tell a person that nobody knows how a payment stands; `""` where the agent can soon ask again."""
        if code is ErrorCode.INVALID_ARGUMENTS or (code in READ_AGAIN and shown):
            return ""
        what = "not_found" if code is ErrorCode.NOT_FOUND else "not_checked"
        return _text(self._words(what), self._payment(shown) if shown else [], self._words(f"{what}_end"))

    def after_error(self, error: PaymentsError, tool: str, outcome: Outcome, intent: PaymentIntent | None) -> str:
        """Tell a person of a call that ended in an error; `""` where they need not know."""
        shown = Shown.of(intent) if intent else None
        if outcome is Outcome.REFUSED:
            if not isinstance(error, PossibleDuplicate):
                return self.refusal(shown, error.code)
            unknown = error.earlier.state is ClaimState.UNKNOWN
            if error.confirmable:
                # If nobody knows about the earlier one and it can be confirmed, it is of another amount.
                return self.refusal(shown, error.code, reason="ask_in_doubt" if unknown else "")
            # One that is being sent right now is the agent's to wait for.
            return self.refusal(shown, error.code, reason="because_unknown_duplicate") if unknown else ""
        if tool == "create_payment":
            payment = self._payment(shown) if shown else []
            return _text(self._words("unknown"), payment, self._words("unknown_end"))
        return "" if tool == "list_payments" else self.unread(shown, error.code)

    def cautions(self, warnings: tuple[str, ...]) -> list[str]:
        """Tell those of the warnings that say the payee may not be who the person thinks."""
        words = PERSON[self.language]
        return [words[f"caution_{code}"] for code in warnings if f"caution_{code}" in words]

    def blikk_says(self, warnings: tuple[str, ...]) -> str:
        """Tell what Blikk names instead of the amount that was asked for; `""` if it names no other."""
        said = blikks_amount(warnings)
        return format_amount(*said, self.language) if said else ""

    def waiting(self, what: str) -> str:
        """Tell in a progress report what is waited for: `person`, `bank`, `answer`, or `nothing` any more."""
        return PERSON[self.language][f"waiting_for_{what}"]

    def _other_amount(self, outcome: Outcome, shown: Shown) -> str:
        """Blikk names another amount or currency than was asked for: nobody is to approve that, or to pay it again."""
        headings = {Outcome.PAID: "other_paid", Outcome.FAILED: "other_failed", Outcome.UNKNOWN: "unknown"}
        asked, *account = self._payment(shown, "asked_for")
        says = self._words("blikk_says", figure=self.blikk_says(shown.warnings))
        end = self._words("unknown_end" if outcome is Outcome.UNKNOWN else "", "other_end")
        return _text(
            self._words(headings.get(outcome, "other_open")), [asked, *says, *account], self._cautions(shown), end
        )

    def _approval(
        self, action: HumanAction, shown: Shown, host: str, *, replaces: bool, withheld: bool = False
    ) -> list[list[str]]:
        """What a person does and checks, in two parts: the link goes between them."""
        heading = "withheld" if withheld else str(action)
        if action is HumanAction.ONBOARDING:
            codes = ["register_first", "no_codes"]
        elif action is HumanAction.BANK_APP:
            codes = ["check", "nothing_yet", "withheld_end" if withheld else "empty_app"]
        else:
            codes = ["check", "nothing_yet"]
        about_link = self._words("link_host", "replaces" if replaces else "", host=host) if host else []
        top = [*self._words(heading), *self._payment(shown), *self._cautions(shown)]
        return [top, [*about_link, *self._words(*codes)]]

    def _payment(self, shown: Shown, heading: str = "") -> list[str]:
        """Amount and payee; then the account and what it is for."""
        words = PERSON[self.language]
        what = words["unknown_payment"]
        if shown.amount_isk is not None:
            what = format_isk(shown.amount_isk, self.language)
        if shown.creditor_name:
            what = words["amount"].format(amount=what, name=quoted(shown.creditor_name, QUOTES[self.language]))
        lines = [words[heading].format(payment=what) if heading else what]
        if shown.masked_account:
            account = words["account"].format(account=shown.masked_account)
            lines.append(account)
            if shown.purpose:
                purpose = words["purpose"].format(purpose=quoted(shown.purpose, QUOTES[self.language]))
                lines[-1:] = joined(account, purpose)
        return lines

    def _cautions(self, shown: Shown) -> list[str]:
        """What to be careful about: that the payee may be another one, and that the money may not be real."""
        return [*self.cautions(shown.warnings), *self._environment()]

    def _environment(self) -> list[str]:
        """Where the money goes through, and whether it is real."""
        line = PERSON[self.language][f"environment_{self.environment}"].format(host=self.blikk_host)
        return [line] if line else []

    def _words(self, *codes: str, **places: str) -> list[str]:
        words = PERSON[self.language]
        return [words[code].format(**places) for code in codes if code]


def _text(*parts: Iterable[str], link: Link | None = None) -> str:
    """The parts as lines, with the link on a line of its own after the first part."""
    lines: list[str] = []
    for number, part in enumerate(parts):
        lines += fitted(line for phrase in part for line in phrase.split("\n"))
        if number == 0 and link is not None:
            lines.append(link.url)
    return "\n".join(lines)
