"""Which approval links a person was given: in a result, or by a client that was asked to open them itself."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal, Protocol

from blikk_payments.channel.links import Link

MAX_PAYMENTS = 1000
"""Payments whose last link is remembered; for the oldest beyond that the person may be asked again."""

Answer = Literal["accept", "decline", "cancel"]


class Opener(Protocol):
    """The client's own way to show a link to the person, where it declared one."""

    async def open(self, link: Link, message: str, link_id: str) -> Answer:
        """Ask the person to open the link. `accept` is consent to open it, never an approval of the payment."""
        ...

    async def finished(self, link_id: str) -> None:
        """Tell the client that what the link was for is over."""
        ...


@dataclass(slots=True)
class ElicitedLink:
    """A link that the client was asked to open, and the person's answer. `finished`: it has done its work."""

    link_id: str
    url: str
    answer: Answer
    finished: bool = False


@dataclass(slots=True)
class _Links:
    """One payment's: the last link that the person was given, and the last one that the client was asked to open."""

    url: str = ""
    replaces_another: bool = False
    elicited: ElicitedLink | None = None


class LinkHistory:
    """The last links of each payment, by its id. Lives as long as the process."""

    def __init__(self) -> None:
        self._payments: OrderedDict[str, _Links] = OrderedDict()

    def record_given(self, payment_id: str, link: Link | None) -> bool:
        """Remember that this link is given to the person now; whether it takes the place of an earlier one."""
        if link is None:
            return False
        links = self._newest(payment_id)
        links.replaces_another |= links.url not in ("", link.url)
        links.url = link.url
        return links.replaces_another

    def record_elicited(self, payment_id: str, elicited: ElicitedLink) -> None:
        """Remember that the client was asked to open this link, and what the person said."""
        self._newest(payment_id).elicited = elicited

    def was_given(self, payment_id: str) -> bool:
        """Tell whether the person was given a link of this payment, with the words that go with it."""
        return payment_id in self._payments

    def elicited(self, payment_id: str) -> ElicitedLink | None:
        """The last link of this payment that the client was asked to open."""
        links = self._payments.get(payment_id)
        return links.elicited if links else None

    def _newest(self, payment_id: str) -> _Links:
        """The payment's links, to be changed; the oldest payment is forgotten if there are too many."""
        links = self._payments.setdefault(payment_id, _Links())
        self._payments.move_to_end(payment_id)
        while len(self._payments) > MAX_PAYMENTS:
            self._payments.popitem(last=False)
        return links
