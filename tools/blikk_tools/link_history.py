"""Approval links that a person was given: in a result, or by a client that was asked to open them itself."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from blikk_payments.channel.links import Link

MAX_LINKS = 1000
"""Payments whose last link is remembered; for the oldest beyond that the person may be asked again."""

Kept = TypeVar("Kept")

Answer = Literal["accept", "decline", "cancel", "unasked"]


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
    """A link that was handed over, and the person's answer."""

    link_id: str
    url: str
    answer: Answer
    finished: bool = False


class ElicitedLinks:
    """By payment id, the last link that a client was asked to open. Lives as long as the process."""

    def __init__(self) -> None:
        self._links: OrderedDict[str, ElicitedLink] = OrderedDict()

    def of(self, payment_id: str) -> ElicitedLink | None:
        """The payment's last handed-over link."""
        return self._links.get(payment_id)

    def remember(self, payment_id: str, handed: ElicitedLink) -> None:
        """Keep it, and forget the oldest if there are too many."""
        _keep(self._links, payment_id, handed)


class ShownLinks:
    """By payment id, the last link that a person was given, and whether there was another one before it."""

    def __init__(self) -> None:
        self._links: OrderedDict[str, tuple[str, bool]] = OrderedDict()

    def record_shown(self, payment_id: str, link: Link | None) -> bool:
        """Remember that this link is given to the person now; whether it takes the place of an earlier one."""
        if link is None:
            return False
        url, replaces = self._links.get(payment_id, (link.url, False))
        replaces = replaces or url != link.url
        _keep(self._links, payment_id, (link.url, replaces))
        return replaces

    def has(self, payment_id: str) -> bool:
        """Tell whether the person was given a link of this payment, with the words that go with it."""
        return payment_id in self._links


def _keep(links: OrderedDict[str, Kept], payment_id: str, kept: Kept) -> None:
    """Keep it as the newest, and forget the oldest if there are too many."""
    links[payment_id] = kept
    links.move_to_end(payment_id)
    while len(links) > MAX_LINKS:
        links.popitem(last=False)
