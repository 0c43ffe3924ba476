"""An asyncio loop in which time passes only when nothing else can happen, and which stops when nothing is to come."""

from __future__ import annotations

import asyncio
import selectors

TICK_SECONDS = 1e-6


class _NeverWaits(selectors.DefaultSelector):
    """Instead of waiting, moves its clock on; where there is nothing to wait for, has the loop stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self.loop: asyncio.AbstractEventLoop | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now."""
        if timeout is None and self.loop is not None:
            self.loop.stop()
        # A real clock never stands still: sums of times that differ in the last digit only would never get there.
        self.seconds += max(timeout or 0.0, TICK_SECONDS)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """`settle` runs all there is to run, sleeps included, in no time."""

    def __init__(self) -> None:
        selector = _NeverWaits()
        super().__init__(selector)
        selector.loop = self
        self._never_waits = selector

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._never_waits.seconds

    def settle(self) -> None:
        """Run until every task has ended or waits for something that no clock brings."""
        self.run_forever()
