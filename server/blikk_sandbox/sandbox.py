"""What the parts of the sandbox share: keys, clock, bank, and what was asked for through the control API."""

from __future__ import annotations

import hmac
import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from blikk_sandbox.bank import Bank, Clock, MovableClock, wall_clock
from blikk_sandbox.faults import Faults
from blikk_sandbox.lives import Life, LifeName, MissingUrl, Timing, make_life

MAX_LIVES: Final = 1_000


class LifeRequest(BaseModel):
    """The life that the next `times` payments lead, and what is particular about them."""

    model_config = ConfigDict(extra="forbid")

    life: LifeName
    times: Annotated[int, Field(ge=1, le=10_000, strict=True)] = 1
    bank_message: str | None = None
    redirect_url: str | None = None
    missing_url: MissingUrl = "absent"
    hidden_seconds: Annotated[float, Field(ge=0)] | None = None
    settle_seconds: Annotated[float, Field(ge=0)] | None = None
    link_seconds: Annotated[float, Field(ge=0)] | None = None

    def make(self, timing: Timing) -> Life:
        """The life with the usual times of `timing`, save for those given here."""
        given = {
            "hidden_seconds": self.hidden_seconds,
            # What is asked for by name is not shortened by the speed.
            "settle_seconds": None if self.settle_seconds is None else self.settle_seconds * timing.speed,
            "link_seconds": self.link_seconds,
            "onboarding_link_seconds": self.link_seconds,
        }
        timing = replace(timing, **{name: seconds for name, seconds in given.items() if seconds is not None})
        life = make_life(self.life, timing)
        return replace(
            life,
            hidden_seconds=life.hidden_seconds if self.hidden_seconds is None else self.hidden_seconds,
            bank_message=self.bank_message,
            redirect_url=self.redirect_url,
            missing_url=self.missing_url,
        )


@dataclass(slots=True)
class Lives:
    """The lives still to be led, and the usual one after them."""

    timing: Timing
    usual: LifeName = LifeName.STANDARD
    _queue: deque[LifeRequest] = field(default_factory=deque[LifeRequest])

    def add(self, request: LifeRequest) -> None:
        """Queue a life. Raises `ValueError` when too many wait."""
        if len(self._queue) >= MAX_LIVES:
            raise ValueError(f"{MAX_LIVES} lives wait already")
        self._queue.append(request)

    def clear(self) -> None:
        """Back to the usual life."""
        self._queue.clear()

    def waiting(self) -> list[dict[str, Any]]:
        """The lives still to be led, as JSON."""
        return [life.model_dump(mode="json", exclude_defaults=True) | {"times": life.times} for life in self._queue]

    def next(self) -> Life:
        """The life of the next payment."""
        if not self._queue:
            return make_life(self.usual, self.timing)
        request = self._queue[0]
        if request.times > 1:
            request.times -= 1
        else:
            self._queue.popleft()
        return request.make(self.timing)


class Sandbox:
    """One sandbox. Every key in `api_keys` is a payment channel of its own."""

    def __init__(
        self,
        api_keys: Sequence[str],
        *,
        speed: float = 1.0,
        clock: Clock = wall_clock,
        configured_account: bool = True,
        life: str = LifeName.STANDARD,
    ) -> None:
        if not api_keys or not all(api_keys):
            raise ValueError("a sandbox needs at least one key, and no empty one")
        if speed <= 0:
            raise ValueError("speed is a factor above 0")
        self._keys = [key.encode() for key in api_keys]
        self.configured_account = configured_account
        self.clock = MovableClock(clock)
        self.lives = Lives(Timing(speed), LifeName(life))
        self.faults = Faults()
        self.bank = Bank(self.clock, self.lives.next)
        self.form_secret = secrets.token_bytes(32)

    def channel_of(self, sent: bytes) -> int | None:
        """The number of the channel that a key belongs to; None for a key that is not known."""
        for number, key in enumerate(self._keys):
            if hmac.compare_digest(key, sent):
                return number
        return None
