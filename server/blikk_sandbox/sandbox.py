"""What the parts of the sandbox share: keys, clock, bank, and what was asked for through the control API."""

from __future__ import annotations

import hmac
import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from blikk_sandbox.bank import MAX_SECONDS_AHEAD, Bank, BankState, Clock, MovableClock, wall_clock
from blikk_sandbox.faults import Fault, Faults
from blikk_sandbox.lives import (
    MAX_STATUSES,
    Life,
    LifeName,
    MissingUrl,
    Timing,
    check_statuses,
    make_life,
    scripted_life,
)
from blikk_sandbox.names import Names

MAX_LIVES: Final = 1_000
MAX_SECONDS: Final = 10 * 365 * 86_400.0
MIN_SPEED: Final = 0.001
MAX_SPEED: Final = 1_000_000.0

Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS)]
Status = Annotated[str, Field(pattern="^[A-Z][A-Z_]{0,39}$")]


class LifeRequest(BaseModel):
    """The life that the next `times` payments lead, by its name or as a script of statuses, and what is particular."""

    model_config = ConfigDict(extra="forbid")

    life: LifeName | None = None
    statuses: Annotated[list[Status], Field(min_length=1, max_length=MAX_STATUSES)] | None = None
    times: Annotated[int, Field(ge=1, le=10_000, strict=True)] = 1
    bank_message: str | None = None
    redirect_url: str | None = None
    missing_url: MissingUrl = "absent"
    hidden_seconds: Seconds | None = None
    settle_seconds: Seconds | None = None
    link_seconds: Seconds | None = None

    @model_validator(mode="after")
    def _name_or_script(self) -> LifeRequest:
        if (self.life is None) == (self.statuses is None):
            raise ValueError("give a life's name or its statuses, and not both")
        if self.statuses is not None:
            check_statuses(self.statuses)
        return self

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
        life = make_life(self.life, timing) if self.life else scripted_life(self.statuses or [], timing)
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

    def set(self, requests: Sequence[LifeRequest]) -> None:
        """These lives and no others. Raises `ValueError` for too many."""
        if len(requests) > MAX_LIVES:
            raise ValueError(f"more than {MAX_LIVES} lives")
        self._queue = deque(requests)

    def all(self) -> list[LifeRequest]:
        """The lives still to be led."""
        return list(self._queue)

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


class State(BaseModel):
    """A whole sandbox, to be handed to another one."""

    model_config = ConfigDict(extra="forbid")

    bank_id: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
    api_keys: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
    seconds_ahead: Annotated[float, Field(ge=0, le=MAX_SECONDS_AHEAD)]
    bank: BankState
    lives: list[LifeRequest]
    faults: list[Fault]


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
        link_seconds: float | None = None,
        names: Names,
    ) -> None:
        if not api_keys or not all(api_keys):
            raise ValueError("a sandbox needs at least one key, and no empty one")
        if not MIN_SPEED <= speed <= MAX_SPEED:
            raise ValueError(f"speed is a factor from {MIN_SPEED:g} to {MAX_SPEED:g}")
        timing = Timing(speed)
        if link_seconds is not None:
            timing = replace(timing, link_seconds=link_seconds, onboarding_link_seconds=link_seconds)
        self.api_keys = list(api_keys)
        self.configured_account = configured_account
        self.clock = MovableClock(clock)
        self.lives = Lives(timing, LifeName(life))
        self.faults = Faults()
        self.bank = Bank(self.clock, self.lives.next, names)
        # Names the bank, not the process: a sandbox that takes over another's state is the same bank.
        self.bank_id = secrets.token_hex(8)
        self.form_secret = names.bytes_of("forms")

    def channel_of(self, sent: bytes) -> int | None:
        """The number of the channel that a key belongs to; None for a key that is not known."""
        for number, key in enumerate(self.api_keys):
            if hmac.compare_digest(key.encode(), sent):
                return number
        return None

    def dump(self) -> State:
        """All that another sandbox needs to go on as this one."""
        return State(
            bank_id=self.bank_id,
            api_keys=self.api_keys,
            seconds_ahead=self.clock.seconds_ahead,
            bank=self.bank.dump(),
            lives=self.lives.all(),
            faults=self.faults.all(),
        )

    def load(self, state: State) -> None:
        """Go on as the sandbox that `state` is from: its keys, clock, payments, faults and lives."""
        self.bank_id, self.api_keys = state.bank_id, state.api_keys
        self.clock.seconds_ahead = state.seconds_ahead
        self.bank.load(state.bank)
        self.lives.set(state.lives)
        self.faults.set(state.faults)
