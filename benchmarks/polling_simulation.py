"""Lives of payments and the pollers that watch them, in virtual time: nothing here sleeps or asks a clock.

A poller knows only what it reads, and a read takes no time. Everybody's clock starts with the answer to the create;
our poller reads again at once, as the server does, and that read counts against it alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from statistics import fmean

from blikk_payments.channel.wire import TERMINAL, Status
from blikk_payments.schedule import PollSchedule

LEAVES_DRAFT_SECONDS = (0.8, 1.2)
LINK_SECONDS = (1.0, 7.0)
PERSON_SECONDS = (5.0, 900.0)
SETTLING_SECONDS = (1.0, 120.0)
"""Ranges of how long each part takes: uniform, but log-uniform for the person, whose estimate is ours."""

Delay = Callable[[int, Status, float, float], float]
"""Seconds to the next read, from the reads so far, the status read last, the seconds it was quiet, and jitter in 0..1."""


@dataclass(frozen=True, slots=True)
class Life:
    """One payment: the times at which its status changes, in order, the last one being its end."""

    changes: tuple[tuple[float, Status], ...]
    link_at: float

    @property
    def ended_at(self) -> float:
        return self.changes[-1][0]


@dataclass(frozen=True, slots=True)
class World:
    """What may be different from what we believe: how settling is spread, what it is called, and how a payment ends."""

    name: str
    settling_log_uniform: bool = False
    settling_status: Status = Status.SCA_COMPLETE
    rejected: bool = False

    def lives(self, count: int, seed: int) -> list[Life]:
        """The same lives for the same arguments."""
        random = Random(seed)
        return [self._life(random) for _ in range(count)]

    def _life(self, random: Random) -> Life:
        pending_at = random.uniform(*LEAVES_DRAFT_SECONDS)
        link_at = random.uniform(*LINK_SECONDS)
        approved_at = link_at + _log_uniform(random, PERSON_SECONDS)
        spread = _log_uniform if self.settling_log_uniform else _uniform
        settled_at = approved_at + spread(random, SETTLING_SECONDS)
        changes = [(pending_at, Status.PENDING)] if pending_at < link_at else []
        changes.append((link_at, Status.SCA_REQUIRED))
        if self.rejected:
            changes.append((approved_at, Status.REJECTED))
        else:
            changes += [(approved_at, self.settling_status), (settled_at, Status.SUCCESS)]
        return Life(tuple(changes), link_at)


AS_BELIEVED = World("as believed")
OTHER_WORLDS = (
    World("settling log-uniform", settling_log_uniform=True),
    World("rejected by the person", rejected=True),
    World("PENDING while settling", settling_status=Status.PENDING),
    World("approval not shown", settling_status=Status.SCA_REQUIRED),
)


@dataclass(frozen=True, slots=True)
class Contender:
    """A poller by its name and the way it waits."""

    name: str
    delay: Delay
    reads_at_once: bool = False


def ours(schedule: PollSchedule, name: str = "ours") -> Contender:
    """The server's own schedule, by the server's own code."""

    def delay(_reads: int, status: Status, quiet_seconds: float, jitter: float) -> float:
        return schedule.delay(status, quiet_seconds, jitter)

    return Contender(name, delay, reads_at_once=True)


def steps(name: str, first: tuple[float, ...], then_seconds: float) -> Contender:
    """A schedule that counts its reads and looks at nothing else."""

    def delay(reads: int, _status: Status, _quiet_seconds: float, _jitter: float) -> float:
        return first[reads] if reads < len(first) else then_seconds

    return Contender(name, delay)


FIXED_1, FIXED_2 = steps("fixed 1 s", (), 1.0), steps("fixed 2 s", (), 2.0)
FIXED_5 = steps("fixed 5 s (SameFare)", (), 5.0)
ECOM = steps("Ecom's advice: 1, 2, 4 … 15 s", (1.0, 2.0, 4.0, 8.0), 15.0)
ISLAND_IS = steps("island.is: 0.5, 1, 2, 3, 5, 10 s", (0.5, 1.0, 2.0, 3.0, 5.0), 10.0)
OTHERS = (FIXED_1, FIXED_2, FIXED_5, ECOM, ISLAND_IS)


@dataclass(slots=True)
class Measured:
    """What one contender did over a sample. Delays in seconds, from the change until it was seen."""

    link_delays: list[float] = field(default_factory=list[float])
    final_delays: list[float] = field(default_factory=list[float])
    requests: float = 0.0

    @property
    def link_mean(self) -> float:
        return fmean(self.link_delays)

    @property
    def final_mean(self) -> float:
        return fmean(self.final_delays)

    @property
    def link_95th(self) -> float:
        return _percentile_95(self.link_delays)

    @property
    def final_95th(self) -> float:
        return _percentile_95(self.final_delays)


def measure(contender: Contender, lives: Iterable[Life], *, seed: int = 0) -> Measured:
    """Let the contender watch every life to its end; `requests` is the mean a payment."""
    jitter = Random(seed).random
    measured = Measured()
    reads = 0
    for life in lives:
        reads += _watch(contender, life, jitter, measured)
    measured.requests = reads / len(measured.final_delays)
    return measured


def beaten(mine: Measured, theirs: Measured) -> bool:
    """Whether theirs shows the link or the final answer sooner than mine with no more requests."""
    faster = theirs.link_mean < mine.link_mean or theirs.final_mean < mine.final_mean
    return faster and theirs.requests <= mine.requests


def broken_promises(mine: Measured, others: dict[str, Measured]) -> list[str]:
    """What is promised of the default and does not hold; empty when all is well."""
    fixed = others[FIXED_5.name]
    broken = [f"{name} beats it on both axes" for name, theirs in others.items() if beaten(mine, theirs)]
    if mine.requests > fixed.requests:
        broken.append("it takes more requests than fixed 5 s")
    if mine.link_mean > 0.25 * fixed.link_mean:
        broken.append("the link is seen later than a quarter of fixed 5 s")
    if mine.final_mean > 0.85 * fixed.final_mean:
        broken.append("the final answer is seen later than 0.85 of fixed 5 s")
    return broken


def _watch(contender: Contender, life: Life, jitter: Callable[[], float], measured: Measured) -> int:
    now = changed_at = 0.0
    reads = 1 if contender.reads_at_once else 0
    waits = seen = 0
    status = Status.DRAFT
    link_seen = False
    while status not in TERMINAL:
        now += contender.delay(waits, status, now - changed_at, jitter())
        waits += 1
        reads += 1
        before = status
        while seen < len(life.changes) and life.changes[seen][0] <= now:
            status = life.changes[seen][1]
            seen += 1
        if status is not before:
            changed_at = now
        if not link_seen and now >= life.link_at:
            link_seen = True
            measured.link_delays.append(now - life.link_at)
    measured.final_delays.append(now - life.ended_at)
    return reads


def _uniform(random: Random, bounds: tuple[float, float]) -> float:
    return random.uniform(*bounds)


def _log_uniform(random: Random, bounds: tuple[float, float]) -> float:
    return math.exp(random.uniform(math.log(bounds[0]), math.log(bounds[1])))


def _percentile_95(values: list[float]) -> float:
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]
