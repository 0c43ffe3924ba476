"""The schedule by which payments are polled, and the promise made of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.polling_simulation import (
    AS_BELIEVED,
    FIXED_1,
    FIXED_5,
    OTHER_WORLDS,
    OTHERS,
    Life,
    World,
    beaten,
    broken_promises,
    measure,
    ours,
    steps,
)
from blikk_payments.channel.wire import Status
from blikk_payments.schedule import LONGEST_SECONDS, SHORTEST_SECONDS, SPREAD, PollSchedule
from tests.expecting import assert_fields

EVERY_STATUS = (None, *Status)
LIVES = 1_000
SEED = 7

statuses = st.sampled_from(EVERY_STATUS)
quiet = st.floats(min_value=0, max_value=1e9)
jitters = st.floats(min_value=0, max_value=1)


def test_the_simulation_counts_what_can_be_counted_by_hand() -> None:
    """A benchmark is worth what its measure is worth. The link is there at 3 s, the end at 12 s."""
    life = Life(((3.0, Status.SCA_REQUIRED), (9.0, Status.SCA_COMPLETE), (12.0, Status.SUCCESS)), link_at=3.0)
    measured = measure(steps("1 s, then 4 s", (1.0,), 4.0), [life])
    assert_fields(measured, requests=4, link_delays=[2.0], final_delays=[1.0])


def test_a_percentile_is_one_of_the_delays() -> None:
    """The 95th of a hundred, not one beyond it."""
    lives = [Life(((end, Status.SUCCESS),), link_at=end) for end in range(100)]
    measured = measure(steps("100 s", (), 100.0), lives)
    assert measured.final_95th == 95.0


@given(status=statuses, seconds=quiet, jitter=jitters, stretch=st.floats(min_value=0, max_value=1e6))
def test_no_setting_leaves_the_bounds(status: Status | None, seconds: float, jitter: float, stretch: float) -> None:
    """Neither hammer the API nor leave an ending unseen, however long a person takes."""
    delay = PollSchedule(stretch=stretch).delay(status, seconds, jitter)
    assert SHORTEST_SECONDS * (1 - SPREAD) <= delay <= LONGEST_SECONDS * (1 + SPREAD)


@given(status=statuses, seconds=quiet, jitter=jitters)
def test_an_ending_is_never_left_unseen_for_more_than_eleven_seconds(
    status: Status | None, seconds: float, jitter: float
) -> None:
    """The default's own bound, 10 s and a tenth."""
    assert 0.9 <= PollSchedule().delay(status, seconds, jitter) <= 11.0


@given(status=statuses, seconds=quiet, more=quiet, jitter=jitters)
def test_the_pace_only_falls_while_nothing_changes(
    status: Status | None, seconds: float, more: float, jitter: float
) -> None:
    """A square root of the quiet time; a person may take 15 minutes."""
    assert PollSchedule().delay(status, seconds + more, jitter) >= PollSchedule().delay(status, seconds, jitter)


@pytest.mark.parametrize("status", [Status.PENDING, Status.SCA_COMPLETE, Status.OTHER, None])
def test_a_change_brings_the_fast_pace_back(status: Status | None) -> None:
    """Just created, just approved or just unknown, the next change is near."""
    long_quiet = PollSchedule().delay(Status.SCA_REQUIRED, 300.0, 0.5)
    assert long_quiet == 10.0
    assert PollSchedule().delay(status, 0.0, 0.5) <= 3.0


def test_the_link_is_looked_for_every_second() -> None:
    """Blikk's sister API: 1 to 7 s until SCA_REQUIRED, DRAFT left after 1 s; our person is watching."""
    draft, pending = (
        PollSchedule().delay(status, seconds, 0.5) for status, seconds in ((Status.DRAFT, 0), (Status.PENDING, 4.0))
    )
    assert (draft, pending) == (1.0, 1.0)


@pytest.mark.parametrize("status", [Status.SCA_REQUIRED, Status.USER_ONBOARDING_REQUIRED])
def test_a_person_is_given_time(status: Status) -> None:
    """Nobody approves within 5 s, so nothing is asked before."""
    assert PollSchedule().delay(status, 0.0, 0.5) == 5.0


@pytest.mark.parametrize("status", [Status.SUCCESS, Status.REJECTED, Status.CANCELLED, Status.ERROR])
def test_a_payment_that_ended_is_not_hurried_after(status: Status) -> None:
    """Blikk's page: these never change again."""
    assert PollSchedule().delay(status, 0.0, 0.5) == 10.0


@pytest.mark.parametrize("status", EVERY_STATUS)
def test_jitter_spreads_by_a_tenth_to_either_side(status: Status | None) -> None:
    """Payments made together must not be read together for ever."""
    shortest, middle, longest = (PollSchedule().delay(status, 50.0, jitter) for jitter in (0.0, 0.5, 1.0))
    assert (shortest / middle, longest / middle) == (pytest.approx(0.9), pytest.approx(1.1))


def test_jitter_still_spreads_at_the_longest_interval() -> None:
    """A bound that cut the jitter off would bring all slow payments into step."""
    slow = PollSchedule(most_seconds=60.0, stretch=9.0)
    assert slow.delay(Status.SCA_REQUIRED, 900.0, 1.0) > slow.delay(Status.SCA_REQUIRED, 900.0, 0.0)


def test_the_default_keeps_its_promise() -> None:
    """Beside fixed 5 s no more requests, the link in a quarter of the time, the answer in 0.85 of it."""
    lives = AS_BELIEVED.lives(LIVES, SEED)
    others = {contender.name: measure(contender, lives) for contender in OTHERS}
    assert broken_promises(measure(ours(PollSchedule()), lives, seed=SEED), others) == []


def test_a_ladder_that_is_worse_would_be_caught() -> None:
    """A check that cannot fail promises nothing."""
    lives = AS_BELIEVED.lives(LIVES, SEED)
    others = {FIXED_5.name: measure(FIXED_5, lives)}
    assert len(broken_promises(measure(steps("fixed 4.9 s", (), 4.9), lives), others)) == 3
    assert len(broken_promises(measure(steps("fixed 6 s", (), 6.0), lives), others)) == 2
    assert beaten(measure(FIXED_5, lives), measure(ours(PollSchedule()), lives))
    assert not beaten(measure(FIXED_5, lives), measure(FIXED_1, lives))


@pytest.mark.parametrize("world", OTHER_WORLDS, ids=lambda world: world.name)
def test_no_other_ladder_beats_the_default_where_we_are_wrong(world: World) -> None:
    """How a payment settles, and whether its approval shows, is not documented by Blikk."""
    lives = world.lives(LIVES, SEED)
    mine = measure(ours(PollSchedule()), lives, seed=SEED)
    assert [contender.name for contender in OTHERS if beaten(mine, measure(contender, lives))] == []
