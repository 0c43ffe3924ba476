"""How long to wait before a GET is repeated."""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import parsedate_to_datetime

FIRST_BACKOFF_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 4.0
MAX_RETRY_AFTER_SECONDS = 120.0
"""Upper bound on Retry-After."""

LONGEST_PAUSE_SECONDS = 10.0
"""Longest pause within one question; where Blikk wants a longer one, the question is given up and not put earlier."""

_SECONDS = re.compile(r"[0-9]{1,9}")


def pause_seconds(attempt: int, jitter: float, retry_after: float) -> float:
    """Seconds before retry `attempt` (from 1): exponential, and never shorter than what Blikk asked for.

    `jitter`, from 0 to 1, spreads the pause between half and whole, lest many clients come back at once.
    """
    backoff = min(FIRST_BACKOFF_SECONDS * 2 ** (attempt - 1), MAX_BACKOFF_SECONDS)
    return max(backoff * (0.5 + jitter / 2), retry_after)


def retry_after_seconds(header: str, now: datetime) -> float:
    """Seconds that a `Retry-After` (RFC 9110: seconds or a date) asks for, at most 120.0; 0.0 if unreadable.

    `now` is aware of its time zone.
    """
    if _SECONDS.fullmatch(header):
        return min(float(header), MAX_RETRY_AFTER_SECONDS)
    try:
        at = parsedate_to_datetime(header)
        seconds = (at if at.tzinfo else at.replace(tzinfo=now.tzinfo)) - now
    except (ValueError, TypeError, OverflowError, IndexError):
        return 0.0
    return min(max(seconds.total_seconds(), 0.0), MAX_RETRY_AFTER_SECONDS)
