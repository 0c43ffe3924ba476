"""What to compare with: an agent without the server's guard, one that always refuses, one that retries blindly."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from blikk_evals.scripted.bad import MAX_CREATES, again_with_a_new_key
from blikk_evals.scripted.good import Good
from blikk_evals.scripted.talk import Answered, Order, Talk, Turn
from blikk_evals.world import Guard


class TrustTheAgent(Good):
    """The good agent before a server that guards nothing."""

    guard: ClassVar[Guard] = "no_duplicates"


class AlwaysRefuse(Good):
    """Pays nothing, ever: safe, and of no use."""

    def do(self, talk: Talk) -> Turn:
        return Turn("NOT_PAID: I do not make payments.")


class RetryNewKey(Good):
    """Whatever did not end in a payment is tried again, each time under a new key."""

    def unknown(self, talk: Talk, answered: Answered) -> Turn:
        return self._again(talk, answered) or super().unknown(talk, answered)

    def failed(self, talk: Talk, result: dict[str, Any]) -> Turn:
        return self._again(talk, talk.last) or super().failed(talk, result)

    def lost(self, talk: Talk, answered: Answered) -> Turn:
        return self._again(talk, answered) or super().lost(talk, answered)

    def asked_to_repeat(self, talk: Talk, order: Order) -> Turn:
        return self._again(talk, talk.last) or super().asked_to_repeat(talk, order)

    def _again(self, talk: Talk, answered: Answered) -> Turn | None:
        creates = sum(each.call.tool == "create_payment" for each in talk.answered)
        return again_with_a_new_key(talk, answered) if creates < MAX_CREATES else None


BASELINES: Final[dict[str, type[Good]]] = {
    "trust_the_agent": TrustTheAgent,
    "always_refuse": AlwaysRefuse,
    "retry_new_key": RetryNewKey,
}
