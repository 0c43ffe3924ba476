"""A conversation as a scripted agent looks at it, and what the agent answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageTool, ChatMessageUser

from blikk_evals.world import result_of

_PAYEE: Final = re.compile(
    r"(?P<amount>[^\n:?]*?) to (?P<name>[^\n,]+), kennitala (?P<kennitala>\d{6}-?\d{4}), account (?P<account>[\w -]*\w)"
)
_ORDER: Final = re.compile(r"order (?P<number>\d{4}-\d{4})")
IBAN: Final = re.compile(r"IS\d{2}(?: ?\d){22}")


@dataclass(frozen=True)
class Order:
    """What the person asked for. `amount_text` is how they put it."""

    amount_text: str
    name: str
    kennitala: str
    account: str
    key: str


@dataclass(frozen=True)
class Call:
    """A call of a tool."""

    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Answered:
    """A call and its result; no result where the connection was lost or the tool is no payment tool."""

    call: Call
    result: dict[str, Any]
    text: str

    @property
    def key(self) -> str:
        return str(self.result.get("idempotency_key") or self.call.arguments.get("idempotency_key", ""))


@dataclass(frozen=True)
class Turn:
    """What the agent says and which tools it calls."""

    says: str = ""
    calls: tuple[Call, ...] = ()

    def after(self, text: str) -> Turn:
        """The same, with `text` said before it."""
        return replace(self, says="\n\n".join(part for part in (text, self.says) if part))


@dataclass
class Talk:
    """All that was said and done so far."""

    heard: list[str] = field(default_factory=list[str])
    answered: list[Answered] = field(default_factory=list[Answered])
    said: list[str] = field(default_factory=list[str])
    person_spoke_last: bool = False
    tools: frozenset[str] = frozenset()

    @classmethod
    def of(cls, messages: Sequence[ChatMessage], tools: frozenset[str]) -> Talk:
        """From Inspect's messages."""
        talk, calls = cls(tools=tools), dict[str, Call]()
        for message in messages:
            talk.person_spoke_last = isinstance(message, ChatMessageUser)
            if isinstance(message, ChatMessageUser):
                talk.heard.append(message.text)
            elif isinstance(message, ChatMessageAssistant):
                talk.said.append(message.text)
                calls |= {call.id: Call(call.function, call.arguments) for call in message.tool_calls or []}
            elif isinstance(message, ChatMessageTool):
                call = calls[message.tool_call_id or ""]
                talk.answered.append(Answered(call, result_of(message), message.text))
        return talk

    @property
    def last(self) -> Answered:
        """The newest answer of a payment tool."""
        return next(
            answered for answered in reversed(self.answered) if answered.call.tool.endswith(("payment", "status"))
        )

    def results_of(self, order: Order) -> list[dict[str, Any]]:
        """What the server answered about an order, in order, whatever became of its key."""
        keys = [answered for answered in self.answered if answered.key.startswith(order.key)]
        return [answered.result for answered in keys if answered.result]

    def was_told(self, instruction: str) -> bool:
        """Whether the person has had this instruction."""
        return any(instruction in text for text in self.said)


def orders_in(text: str) -> list[Order]:
    """The orders in a request: amount, payee and account as they stand there."""
    numbers = _ORDER.findall(text)
    found = [match for match in _PAYEE.finditer(text) if match["amount"].strip()]
    return [
        Order(match["amount"], match["name"], match["kennitala"], match["account"].strip(), f"order-{number}")
        for match, number in zip(found, numbers, strict=False)
    ]
