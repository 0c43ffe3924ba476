"""How long to wait before a payment is read again.

For a chance h a second that the status changes now, and a request worth L seconds of delay, the interval x that costs
least (delay h·x/2, requests L/x) is sqrt(2L/h). So every status has its own pace, near half the square root of the
seconds it lasts on average (L is about 1/8), and one that lasts long slows down with the square root of its age.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from blikk_payments.channel.wire import NEEDS_PERSON, TERMINAL, Status

SHORTEST_SECONDS = 0.25
LONGEST_SECONDS = 15.0
"""The bounds of every setting, before jitter."""

SPREAD = 0.1
"""The share by which jitter shortens or lengthens an interval, so that payments made together drift apart."""


@dataclass(frozen=True, slots=True)
class PollInterval:
    """`first_seconds` between two reads, until `growth` times the square root of the quiet seconds is more."""

    first_seconds: float
    growth: float


LINK = PollInterval(first_seconds=1.0, growth=0.5)
"""The approval link came 1 to 7 s after creation at Blikk's sister API (Ecom): flat for the first 4 s, 10 s at 400 s."""

PERSON = PollInterval(first_seconds=5.0, growth=1.0)
"""Nobody approves within 5 s, and some take 15 minutes (our estimate): flat for the first 25 s, 10 s at 100 s.

A rejection is all that can be seen late here; an approval is followed by settling, which has its own pace.
"""

SETTLING = PollInterval(first_seconds=3.0, growth=0.3)
"""Approved; money moves "within a few minutes" (a public integrator): flat for the first 100 s, 10 s at 1100 s."""

UNKNOWN = PollInterval(first_seconds=1.0, growth=1.0)
"""A status that we do not know, or none yet: anything may follow, so as fast as for the link, but not for long."""

ENDED = PollInterval(first_seconds=LONGEST_SECONDS, growth=0.0)
"""Nothing follows; a reader that asks all the same does no harm."""

INTERVALS = {
    Status.DRAFT: LINK,
    Status.PENDING: LINK,
    Status.SCA_COMPLETE: SETTLING,
    **dict.fromkeys(NEEDS_PERSON, PERSON),
    **dict.fromkeys(TERMINAL, ENDED),
}


@dataclass(frozen=True, slots=True)
class PollSchedule:
    """The pace of reading one payment; stateless, so that one serves them all.

    `most_seconds` bounds how long an ending can stay unseen. `stretch` slows everything down (above 1) or speeds it up.
    """

    most_seconds: float = 10.0
    stretch: float = 1.0

    def delay(self, status: Status | None, quiet_seconds: float, jitter: float) -> float:
        """Seconds until the next read of a payment in `status` for `quiet_seconds`; `jitter` is in 0..1."""
        interval = INTERVALS.get(status, UNKNOWN) if status else UNKNOWN
        seconds = max(interval.first_seconds, interval.growth * math.sqrt(max(0.0, quiet_seconds)))
        seconds = self.stretch * min(self.most_seconds, seconds)
        return min(LONGEST_SECONDS, max(SHORTEST_SECONDS, seconds)) * (1 + SPREAD * (2 * jitter - 1))
