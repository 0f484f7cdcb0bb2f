"""The load of a worker's live sessions: the interval of partials, and the number of sessions that it can serve.

See docs/adr/0013-capacity.md for the formulas.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tiro_transcriber import metrics
from tiro_transcriber.engine.session_threads import NO_BATCHING, BatchPolicy

INTERVAL_SECONDS_MIN = 0.5
"""The shortest interval. More frequent partials show nothing new: a word lasts 0.3 s."""
INTERVAL_SECONDS_MAX = 2.0
"""The longest interval: the latency of words that still counts as live."""
BUSY_SHARE_MAX = 0.85
"""The share of the threads that partials, finals and voice activity may use together: beyond it the interval of
partials grows, and at its longest no session is taken. The rest is for bursts."""
LAG_SECONDS_MAX = 1.0
"""A worker whose work waits longer than this for a thread takes no new sessions."""
LAG_WINDOW_SECONDS = 5.0
LAG_SHARE = 0.95
WAITS_KEPT_MAX = 4096
HALF_LIFE_SECONDS = 30.0
"""The age at which a measurement counts half."""
BATCH_WAIT_SHARE = 0.125
"""The share of the interval for which a partial waits for others: words come that much later, at half the cost."""
TURN_SHARE = 0.2
"""The least audio of a call of the engine, as a share of the interval: a call for each 100 ms would cost more than
voice activity detection itself."""
RESERVE_SHARE = 0.25
"""The share of the capacity, beyond that for new sessions, that is kept for sessions that have lost their worker."""


class _Mean:
    """A mean in which earlier measurements count less."""

    def __init__(self) -> None:
        self._sum = self._weight = 0.0
        self._at = time.monotonic()

    def add(self, amount: float, weight: float) -> None:
        now = time.monotonic()
        fade = 0.5 ** ((now - self._at) / HALF_LIFE_SECONDS)
        self._sum, self._weight, self._at = self._sum * fade + amount, self._weight * fade + weight, now

    @property
    def value(self) -> float | None:
        return self._sum / self._weight if self._weight else None


class SessionLoad:
    """The measurements of one worker's sessions."""

    def __init__(self, threads: int, slots: int, changed: Callable[[], None], *, only_waits: bool = False) -> None:
        """Make it without measurements.

        Args:
            threads: The number of threads on which sessions run.
            slots: The most sessions.
            changed: Called when a session has begun.
            only_waits: Whether calls wait for a service outside and use no core. Then their duration does not limit the
                number of sessions: only the slots do, and the wait for a thread.
        """
        self._only_waits = only_waits
        self._threads = threads
        self._slots = slots
        self._changed = changed
        self._waits: deque[tuple[float, float]] = deque(maxlen=WAITS_KEPT_MAX)
        self._essential = _Mean()
        self._partial = _Mean()
        self._speaking: set[int] = set()
        self.sessions = 0
        """The number of active sessions."""

    @contextmanager
    def session(self) -> Iterator[None]:
        """Count a session while the context lasts."""
        self.sessions += 1
        self._changed()
        try:
            yield
        finally:
            self.sessions -= 1

    def waited(self, seconds: float) -> None:
        """Record how long a call of a session has waited for a thread."""
        self._waits.append((time.monotonic(), seconds))

    def processed(self, busy_seconds: float, audio_seconds: float) -> None:
        """Record how long voice activity and finals have kept a thread busy, over how much audio with speech."""
        if not self._only_waits:
            self._essential.add(busy_seconds, audio_seconds)

    def decoded_partial(self, busy_seconds: float) -> None:
        """Record how long a partial has kept a thread busy."""
        if not self._only_waits:
            self._partial.add(busy_seconds, 1.0)

    def speaking(self, session: int, *, speaking: bool) -> None:
        """Record whether there is speech in a session now."""
        (self._speaking.add if speaking else self._speaking.discard)(session)

    @property
    def interval_seconds(self) -> float:
        """How long a session waits from one partial to the next."""
        cost = self._partial.value or 0.0
        left = BUSY_SHARE_MAX * self._threads / max(1, len(self._speaking)) - (self._essential.value or 0.0)
        if left <= 0:
            return INTERVAL_SECONDS_MAX
        return min(max(cost / left, INTERVAL_SECONDS_MIN), INTERVAL_SECONDS_MAX)

    @property
    def batch_policy(self) -> BatchPolicy:
        """How many partials of other sessions a partial waits for, and how long."""
        per_thread = len(self._speaking) // self._threads
        return BatchPolicy(per_thread, BATCH_WAIT_SHARE * self.interval_seconds) if per_thread > 1 else NO_BATCHING

    @property
    def turn_seconds_min(self) -> float:
        """The least audio of a call of the engine: a share of the interval of partials."""
        return TURN_SHARE * self.interval_seconds

    @property
    def capacity(self) -> int:
        """The number of sessions with continuous speech that it can keep up with; before a measurement, `slots`."""
        essential, partial = self._essential.value, self._partial.value or 0.0
        if essential is None:
            return self._slots
        cost = essential + partial / INTERVAL_SECONDS_MAX
        fit = math.floor(BUSY_SHARE_MAX * self._threads / cost) if cost else self._slots
        return max(1, min(self._slots, fit))

    @property
    def lag_seconds(self) -> float:
        """How long calls wait for a thread: the 95th percentile of the last seconds."""
        since = time.monotonic() - LAG_WINDOW_SECONDS
        while self._waits and self._waits[0][0] < since:
            self._waits.popleft()
        waits = sorted(seconds for _, seconds in self._waits)
        return waits[min(len(waits) - 1, int(LAG_SHARE * len(waits)))] if waits else 0.0

    @property
    def has_capacity(self) -> bool:
        """Whether the worker takes a new session."""
        return self.sessions < self.capacity and self.lag_seconds < LAG_SECONDS_MAX

    @property
    def has_capacity_for_orphan(self) -> bool:
        """Whether the worker takes a session that has lost its worker."""
        return self.sessions < self.capacity + reserve(self.capacity)


def reserve(slots: int) -> int:
    """The number of sessions that have lost their worker that are taken beyond a number of slots."""
    return max(1, math.floor(RESERVE_SHARE * slots))


def export_gauges(loads: Sequence[SessionLoad]) -> None:
    """Let the gauges of live sessions read the measurements of all models at each scrape."""
    metrics.SESSIONS_ACTIVE.set_function(lambda: sum(load.sessions for load in loads))
    metrics.SESSION_CAPACITY.set_function(lambda: sum(load.capacity for load in loads))
    metrics.SESSION_LAG.set_function(lambda: max(load.lag_seconds for load in loads))
    metrics.SESSION_PARTIAL_INTERVAL.set_function(lambda: max(load.interval_seconds for load in loads))
