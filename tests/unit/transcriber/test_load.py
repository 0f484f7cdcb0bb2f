"""How often partials are worth it, and how many sessions fit, from what was measured."""

import pytest

from tiro_transcriber.engine.session_threads import NO_BATCHING, BatchPolicy
from tiro_transcriber.sessions.load import INTERVAL_SECONDS_MAX, INTERVAL_SECONDS_MIN, SessionLoad, reserve


def load(threads: int = 2, slots: int = 64) -> SessionLoad:
    """A worker that has measured nothing yet."""
    return SessionLoad(threads, slots, lambda: None)


def test_a_worker_that_has_measured_nothing_takes_what_it_may() -> None:
    """Without a measurement the slots count, and partials come as often as they may."""
    fresh = load()
    assert fresh.capacity == 64
    assert fresh.has_capacity
    assert fresh.interval_seconds == INTERVAL_SECONDS_MIN


def test_partials_stretch_with_the_number_of_speakers() -> None:
    """The interval is what leaves the threads busy for 85 % of the time, between its bounds."""
    busy = load()
    busy.processed(busy_seconds=0.4, audio_seconds=10.0)
    busy.decoded_partial(0.06)
    intervals = []
    for number in range(40):
        busy.speaking(number, speaking=True)
        intervals.append(busy.interval_seconds)
    assert intervals[0] == INTERVAL_SECONDS_MIN
    assert intervals[19] == pytest.approx(0.06 / (0.85 * 2 / 20 - 0.04))
    assert intervals[-1] == INTERVAL_SECONDS_MAX
    assert intervals == sorted(intervals)
    for number in range(40):
        busy.speaking(number, speaking=False)
    assert busy.interval_seconds == INTERVAL_SECONDS_MIN


def test_capacity_is_what_fits_at_the_longest_interval() -> None:
    """Measured costs say how many sessions fit, at most the slots, at least one."""
    busy = load()
    busy.processed(busy_seconds=0.4, audio_seconds=10.0)
    busy.decoded_partial(0.06)
    assert busy.capacity == int(0.85 * 2 / (0.04 + 0.06 / 2.0))
    assert load(slots=3).capacity == 3
    slow = load()
    slow.processed(busy_seconds=50.0, audio_seconds=10.0)
    assert slow.capacity == 1


def test_a_full_worker_keeps_a_reserve_for_orphans() -> None:
    """A new session is refused at capacity; one that has lost its worker is not, up to a quarter more."""
    full = load(slots=4)
    with full.session(), full.session(), full.session(), full.session():
        assert (full.has_capacity, full.has_capacity_for_orphan) == (False, True)
        with full.session():
            assert (full.has_capacity, full.has_capacity_for_orphan) == (False, False)
    assert (full.has_capacity, full.has_capacity_for_orphan) == (True, True)
    assert reserve(2) == 1


def test_a_worker_that_is_behind_takes_no_new_session() -> None:
    """Work that waits over a second for a thread is a fact that no computation outweighs."""
    behind = load()
    for _ in range(20):
        behind.waited(1.5)
    assert behind.lag_seconds == 1.5
    assert not behind.has_capacity
    assert behind.has_capacity_for_orphan


def test_partials_wait_for_others_where_many_speak() -> None:
    """One that speaks alone, or with no more than there are threads, waits for nobody."""
    busy = load(threads=2)
    for number in range(3):
        busy.speaking(number, speaking=True)
        assert busy.batch_policy == NO_BATCHING
    for number in range(8):
        busy.speaking(number, speaking=True)
    assert busy.batch_policy == BatchPolicy(4, INTERVAL_SECONDS_MIN / 8)


def test_audio_is_heard_in_larger_turns_when_partials_are_rare() -> None:
    """A fifth of the interval at a time."""
    busy = load()
    assert busy.turn_seconds_min == pytest.approx(INTERVAL_SECONDS_MIN / 5)
    busy.decoded_partial(60.0)
    assert busy.turn_seconds_min == pytest.approx(INTERVAL_SECONDS_MAX / 5)


def test_calls_that_only_wait_say_nothing_of_capacity() -> None:
    """An engine whose service does the work: the slots count, however long `finalize` waits for it."""
    waiting = SessionLoad(32, 64, lambda: None, only_waits=True)
    waiting.processed(busy_seconds=5.0, audio_seconds=2.0)
    waiting.decoded_partial(1.0)
    assert waiting.capacity == 64
    assert waiting.interval_seconds == INTERVAL_SECONDS_MIN
