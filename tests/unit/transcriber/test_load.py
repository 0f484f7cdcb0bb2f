"""The interval of partials and the capacity of a worker, from measurements."""

import pytest

from tiro_transcriber.engine.session_threads import NO_BATCHING, BatchPolicy
from tiro_transcriber.sessions.load import INTERVAL_SECONDS_MAX, INTERVAL_SECONDS_MIN, SessionLoad, reserve


def load(threads: int = 2, slots: int = 64) -> SessionLoad:
    """The load of a worker without measurements."""
    return SessionLoad(threads, slots, lambda: None)


def test_a_worker_without_measurements_has_its_slots_as_capacity() -> None:
    """Without measurements the capacity is the slots, and the interval of partials is the shortest."""
    fresh = load()
    assert fresh.capacity == 64
    assert fresh.has_capacity
    assert fresh.interval_seconds == INTERVAL_SECONDS_MIN


def test_the_interval_of_partials_grows_with_the_number_of_speakers() -> None:
    """The interval keeps the threads busy for 85 % of the time, within its bounds."""
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


def test_capacity_is_the_number_of_sessions_at_the_longest_interval() -> None:
    """The capacity follows from measured costs. It is at most the slots, and at least 1."""
    busy = load()
    busy.processed(busy_seconds=0.4, audio_seconds=10.0)
    busy.decoded_partial(0.06)
    assert busy.capacity == int(0.85 * 2 / (0.04 + 0.06 / 2.0))
    assert load(slots=3).capacity == 3
    slow = load()
    slow.processed(busy_seconds=50.0, audio_seconds=10.0)
    assert slow.capacity == 1


def test_a_full_worker_keeps_a_reserve_for_orphans() -> None:
    """At capacity a new session is refused. A session that has lost its worker is accepted up to a quarter more."""
    full = load(slots=4)
    with full.session(), full.session(), full.session(), full.session():
        assert (full.has_capacity, full.has_capacity_for_orphan) == (False, True)
        with full.session():
            assert (full.has_capacity, full.has_capacity_for_orphan) == (False, False)
    assert (full.has_capacity, full.has_capacity_for_orphan) == (True, True)
    assert reserve(2) == 1


def test_a_worker_with_a_lag_takes_no_new_session() -> None:
    """A worker whose calls wait over a second for a thread has no capacity, whatever the computed one."""
    behind = load()
    for _ in range(20):
        behind.waited(1.5)
    assert behind.lag_seconds == 1.5
    assert not behind.has_capacity
    assert behind.has_capacity_for_orphan


def test_partials_are_batched_if_there_are_more_speakers_than_threads() -> None:
    """With no more speakers than threads a partial does not wait for a batch."""
    busy = load(threads=2)
    for number in range(3):
        busy.speaking(number, speaking=True)
        assert busy.batch_policy == NO_BATCHING
    for number in range(8):
        busy.speaking(number, speaking=True)
    assert busy.batch_policy == BatchPolicy(4, INTERVAL_SECONDS_MIN / 8)


def test_turns_of_audio_are_longer_if_partials_are_rare() -> None:
    """The shortest turn is a fifth of the interval of partials."""
    busy = load()
    assert busy.turn_seconds_min == pytest.approx(INTERVAL_SECONDS_MIN / 5)
    busy.decoded_partial(60.0)
    assert busy.turn_seconds_min == pytest.approx(INTERVAL_SECONDS_MAX / 5)


def test_calls_of_a_remote_engine_do_not_affect_capacity() -> None:
    """The capacity of an engine that only waits for a service is its slots, whatever the time of its calls."""
    waiting = SessionLoad(32, 64, lambda: None, only_waits=True)
    waiting.processed(busy_seconds=5.0, audio_seconds=2.0)
    waiting.decoded_partial(1.0)
    assert waiting.capacity == 64
    assert waiting.interval_seconds == INTERVAL_SECONDS_MIN
