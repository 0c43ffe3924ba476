"""The words: for the person who approves (English or Icelandic), and for the model that must not overstep."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blikk_payments.channel.links import Link
from blikk_payments.identifiers import format_isk
from blikk_payments.models import PaymentRecord, Question, QuestionKind
from blikk_tools.phrases import PERSON, WARNINGS, Language

if TYPE_CHECKING:
    from blikk_tools.result import HumanAction, Outcome

_LINKED = re.compile(r"\w*:?//+|\]\s*\(")
_OWN_QUOTES = str.maketrans('“”„"', "''''")

NEVER = "Do not pay again, not under another key either."
ASK_FIRST = "Ask the person before you try again; only if they want it, use a new idempotency_key."

NEXT_STEPS: dict[str, str] = {
    "paid": "Tell the person that it is paid. Do not pay again.",
    "failed": f"Blikk ended it without payment. Tell the person. {ASK_FIRST}",
    "open_link": (
        "Show human_instruction to the person word for word, link included. Do not open the link, do not approve, do not "
        "ask for codes or passwords. Then call await_payment with this payment_id and human_informed=true. Do not say "
        "that it is paid before outcome is paid."
    ),
    "bank_app": (
        "Show human_instruction to the person word for word. Do not approve, do not ask for codes or passwords. Then call "
        "await_payment with this payment_id and human_informed=true. Do not say that it is paid before outcome is paid."
    ),
    "stale": (
        "A person has to act, but the link could not be read afresh. Call get_payment_status with this payment_id. Do not "
        "say that it is paid and do not create it again."
    ),
    "pending": (
        "Not final yet. Call await_payment with this payment_id. Do not create it again under another key and do not "
        "say that it is paid."
    ),
    "sending": "It is being sent right now. Call get_payment_status with this idempotency_key. Do not create it again.",
    "outcome_unknown": (
        f"It may have been paid. {NEVER} Tell the person that somebody has to look for it in Blikk's merchant portal; "
        "then the operator settles it with `blikk-mcp ledger resolve`."
    ),
    "unread": "Its status could not be read; nothing is known to have changed. Ask again later. Do not create it again.",
    "not_created": "The operator found that it was not made. Only if the person still wants it, the same key may be used.",
    "invalid_arguments": "Nothing was sent. Correct the named argument and call again with the same idempotency_key.",
    "not_configured": "Nothing was sent. Tell the person that the operator has to correct the named setting.",
    "over_limit": "Nothing was sent. Tell the person. Do not split the payment to get under the limit.",
    "creditor_not_allowed": "Nothing was sent. Tell the person that the operator has not allowed this creditor.",
    "rate_limited": "Nothing was sent. Tell the person that payments come too fast; wait a minute and ask before more.",
    "confirmation_required": "Nothing was sent. A person has to confirm, and only the client can ask them. Tell the person.",
    "confirmation_declined": "Nothing was sent: the person did not confirm. Do not try again unless they ask for it.",
    "idempotency_conflict": (
        "Nothing was sent: this key belongs to another payment. Look it up with get_payment_status before you do "
        "anything; a new key is right only for a new purchase."
    ),
    "possible_duplicate": (
        "Nothing was sent. Ask the person whether both payments are meant. Only if they say so, call again with the same "
        "arguments and confirmed_duplicate_of set to this payment_id."
    ),
    "unconfirmable_duplicate": (
        "Nothing was sent. The earlier payment may have been paid and nobody can confirm that away: somebody has to look "
        "in Blikk's merchant portal and the operator to settle it with `blikk-mcp ledger resolve`. Tell the person."
    ),
    "duplicate_in_flight": "Nothing was sent. Wait a few seconds, then look at what became of the earlier payment.",
    "rejected_by_blikk": (
        "No payment was made: Blikk refused the request. Tell the person why if you can; a corrected request may use the "
        "same idempotency_key."
    ),
    "unauthorized": "Blikk refused the key. Tell the person that the operator has to check it. Do not try again.",
    "wrong_channel": (
        "Blikk says that this belongs to another channel. Tell the person that the operator has to check. Do not create "
        "it again."
    ),
    "not_found": "Not found here; that does not say that it was not paid. Tell the person. Do not create it again.",
    "refused_unauthorized": (
        "No payment was made: Blikk refused the server's key. Tell the person that the operator has to check it. Do not "
        "try again before that."
    ),
    "refused_wrong_channel": (
        "No payment was made: Blikk says that this belongs to another channel. Tell the person that the operator has to "
        "check. Do not try again before that."
    ),
    "refused_not_found": (
        "No payment was made: there is no such service at the server's address. Tell the person that the operator has to "
        "check it. Do not try again before that."
    ),
    "blikk_unavailable": "Nothing was sent: Blikk was not reached. You may call again with the same idempotency_key.",
    "ledger_unavailable": "Nothing was sent: the payment could not be written down first. Tell the person.",
    "internal_error": f"Something went wrong here. {NEVER} Look it up with get_payment_status and the idempotency_key.",
}
"""What the model does next, by what happened."""


def refused_step(error_code: str) -> str:
    """The step after a refusal: the same codes say something else where a payment is being asked about."""
    special = f"refused_{error_code}"
    return special if special in NEXT_STEPS else error_code


READ_ERRORS = frozenset({"blikk_unavailable", "ledger_unavailable", "internal_error"})


@dataclass(frozen=True, slots=True)
class Shown:
    """What a person is shown of a payment; an amount of 0 means that it is not known here. `warnings` are codes."""

    amount_isk: int
    creditor_name: str
    masked_account: str
    warnings: tuple[str, ...] = ()

    @classmethod
    def of_record(cls, record: PaymentRecord) -> Shown:
        """From what is known of a payment."""
        return cls(record.amount_isk, record.creditor_name, record.masked_account, record.warnings)


@dataclass(frozen=True, slots=True)
class Presentation:
    """How results are told here: the environment, the language for people, and which links may be shown."""

    environment: str = "production"
    language: Language = "en"
    blikk_host: str = ""
    sca_hosts: tuple[str, ...] = ()
    loopback: bool = False

    def warning(self, code: str) -> str:
        """The warning's words, for model and person alike."""
        return WARNINGS[code]

    def next_step(self, outcome: Outcome, action: HumanAction, error_code: str, *, payment_id: str, fresh: bool) -> str:
        """What the model does next, and what it must not do."""
        if outcome in ("paid", "failed"):
            step = str(outcome)
        elif outcome == "refused":
            step = refused_step(error_code) if error_code else "not_created"
        elif error_code in READ_ERRORS:
            step = "unread"
        elif error_code:
            step = error_code
        elif outcome == "needs_human":
            step = "stale" if not fresh else "bank_app" if action == "bank_app" else "open_link"
        elif outcome == "pending":
            step = "pending" if payment_id else "sending"
        else:
            step = "outcome_unknown"
        return NEXT_STEPS[step]

    def human_instruction(
        self, outcome: Outcome, action: HumanAction, shown: Shown, link: Link | None, *, replaces: bool, lapsed: bool
    ) -> str:
        """What to tell the person, word for word; `""` where there is nothing a person has to know or do.

        `replaces`: the person was given another link before. `lapsed`: they have had this one for long.
        """
        words = PERSON[self.language]
        what = self._payment(shown)
        if outcome == "unknown":
            return words["unknown"].format(payment=what)
        if outcome == "paid":
            return words["paid"].format(payment=what)
        if outcome == "failed":
            return words["failed"].format(payment=what)
        if outcome != "needs_human" or action == "none":
            return ""
        parts = self._first_words(shown)
        if link is None:
            parts.append(words["bank_app"].format(payment=what))
        else:
            template = words["onboarding" if action == "onboarding" else "open_link"]
            parts.append(template.format(payment=what, host=link.host, url=link.url))
            parts += [words["replaces"]] if replaces else []
            parts += [words["lapsed"]] if lapsed else []
        return " ".join(parts)

    def question(self, question: Question) -> str:
        """What a person is asked before a payment that the operator's rules want confirmed."""
        words = PERSON[self.language]
        shown = Shown(question.amount_isk, question.creditor_name, question.masked_account)
        parts = [words["ask"].format(payment=self._payment(shown))]
        parts += self.cautions(question.warnings)
        if QuestionKind.DUPLICATE in question.kinds:
            parts.append(words["ask_duplicate"].format(earlier=question.duplicate_of))
        if QuestionKind.ABOVE_THRESHOLD in question.kinds:
            parts.append(words["ask_above"])
        parts.append(words["ask_end"])
        return " ".join(parts)

    def hand_over(self, shown: Shown, link: Link, *, replaces: bool) -> str:
        """What a client shows beside a link that it opens itself; `replaces`: the person was given another one before."""
        words = PERSON[self.language]
        parts = self._first_words(shown)
        parts.append(words["hand_over"].format(payment=self._payment(shown), host=link.host))
        parts += [words["replaces"]] if replaces else []
        return " ".join(parts)

    def cautions(self, warnings: tuple[str, ...]) -> list[str]:
        """A sentence for each of the warnings that say the payee may not be who the person thinks."""
        words = PERSON[self.language]
        return [words[f"caution_{code}"] for code in warnings if f"caution_{code}" in words]

    def tick_box(self) -> str:
        """The label of the box that a person ticks to confirm."""
        return PERSON[self.language]["tick_box"]

    def waiting(self, needs_person: bool) -> str:
        """The message of a progress report."""
        return "Waiting for the person to approve at their bank" if needs_person else "Waiting for the bank"

    def _first_words(self, shown: Shown) -> list[str]:
        """Whether the money is real, and what to be careful about: before all else."""
        words = PERSON[self.language]
        real = words["real" if self.environment == "production" else "test"]
        return [real.format(environment=self._environment()), *self.cautions(shown.warnings)]

    def _payment(self, shown: Shown) -> str:
        words = PERSON[self.language]
        if not shown.amount_isk:
            return words["unknown_payment"]
        return words["payment"].format(
            amount=format_isk(shown.amount_isk, self.language),
            name=_shown_name(shown.creditor_name),
            account=shown.masked_account,
        )

    def _environment(self) -> str:
        return PERSON[self.language][f"environment_{self.environment}"].format(host=self.blikk_host)


def _shown_name(name: str) -> str:
    """The agent's word for the payee, as a person may see it: it neither links anywhere nor ends its own quotation."""
    unlinked = _LINKED.sub(" ", name).translate(_OWN_QUOTES)
    return " ".join(unlinked.split())
