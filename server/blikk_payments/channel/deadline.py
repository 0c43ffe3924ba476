"""The latest time at which a request may start: a process that was paused must not send what others gave up on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from blikk_payments.system.clocks import seconds_since_boot


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on two clocks: the wall clock can be set back, and the other one stands still in a paused machine."""

    wall: datetime
    boot_seconds: float
    now: Callable[[], datetime] = field(default=utc_now, repr=False)
    since_boot: Callable[[], float] = field(default=seconds_since_boot, repr=False)

    @classmethod
    def after(
        cls,
        seconds: float,
        now: Callable[[], datetime] = utc_now,
        since_boot: Callable[[], float] = seconds_since_boot,
    ) -> Deadline:
        """So many seconds from now, on both clocks."""
        return cls(now() + timedelta(seconds=seconds), since_boot() + seconds, now, since_boot)

    def passed(self) -> bool:
        """Whether it is later than that by either clock."""
        # Read the clocks last: a process that was paused before this line finds out here.
        return self.now() > self.wall or self.since_boot() > self.boot_seconds
