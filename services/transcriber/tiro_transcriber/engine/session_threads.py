"""The threads on which live sessions run their engine: the earliest deadline first.

Voice activity and finals have early deadlines, partials later ones: so finals go first, but a burst of them does not
leave everybody without words for seconds. Partials of several sessions are decoded together at less cost each. So where
several are expected, the first one waits a moment for the others.
"""

import asyncio
import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from tiro_engines.interface import EngineSession, SessionUpdate

T = TypeVar("T")

URGENT_SECONDS = 0.3
"""The deadline of what a speaker waits for, after its coming."""
PARTIAL_SECONDS = 1.0
"""The deadline of a partial, after it was due."""

DecodePartials = Callable[[Sequence[EngineSession]], list[list[SessionUpdate]]]


@dataclass(frozen=True, slots=True)
class CallResult(Generic[T]):
    """What a piece of work gave, and what it took."""

    result: T
    waited_seconds: float
    """For a thread."""
    busy_seconds: float
    """Its share of the thread's time."""
    begun: float
    """On the monotonic clock."""


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """Which other partials are worth waiting for."""

    count: int = 1
    """So many are begun at once as soon as they are there."""
    seconds_max: float = 0.0
    """So long after it was due, those are begun that are there."""


NO_BATCHING = BatchPolicy()

PartialFuture = Future[CallResult[list[SessionUpdate]]]


@dataclass(slots=True)
class _Urgent:
    work: Callable[[], Any]
    future: "Future[Any]"
    submitted: float


@dataclass(order=True, slots=True)
class _Partial:
    due: float
    number: int
    session: EngineSession = field(compare=False)
    batch_policy: BatchPolicy = field(compare=False)
    future: PartialFuture = field(compare=False)
    submitted: float = field(compare=False)


class SessionThreads:
    """Runs blocking calls of live sessions. Use `open_session_threads`.

    A session has one call under way at a time, so at most as many wait as there are sessions.
    """

    def __init__(self, count: int, decode_partials: DecodePartials, together_max: int) -> None:
        self.count = count
        self._decode_partials = decode_partials
        self._together_max = together_max
        self._changed = threading.Condition()
        self._urgent: deque[_Urgent] = deque()
        self._partials: list[_Partial] = []
        self._numbers = itertools.count()
        self._stopping = False

    async def run_priority(self, work: Callable[[], T]) -> CallResult[T]:
        """Run what a speaker waits for: voice activity and finals, in the order of their coming.

        It goes before partials, but for those that are overdue by then.
        """
        future: Future[CallResult[T]] = Future()
        with self._changed:
            self._urgent.append(_Urgent(work, future, time.monotonic()))
            self._changed.notify()
        return await asyncio.wrap_future(future)

    def partial(self, session: EngineSession, due: float, batch_policy: BatchPolicy = NO_BATCHING) -> PartialFuture:
        """Decode a session's partial when nothing goes before it, the one with the smallest `due` first.

        As long as it waits for a thread, cancelling the future withdraws it.

        Args:
            session: The session.
            due: On the monotonic clock.
            batch_policy: Which partials of other sessions it waits for.
        """
        future: PartialFuture = Future()
        with self._changed:
            job = _Partial(due, next(self._numbers), session, batch_policy, future, time.monotonic())
            heapq.heappush(self._partials, job)
            self._changed.notify()
        return future

    def run(self) -> None:
        """Work until stopped. The body of each thread."""
        while (next_up := self._take()) is not None:
            if isinstance(next_up, _Urgent):
                _run_urgent(next_up)
            else:
                self._run_partials(next_up)

    def stop(self) -> None:
        """Let the threads end, once all that waits is done."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def _take(self) -> _Urgent | list[_Partial] | None:
        """Wait for what is next: one urgent call, or the partials to begin together. None at the end."""
        with self._changed:
            while True:
                self._forget_withdrawn()
                if self._urgent and not self._partial_goes_first():
                    return self._urgent.popleft()
                patience = self._patience_seconds()
                if self._partials and (patience <= 0 or self._urgent):
                    count = min(self._together_max, len(self._partials))
                    return [heapq.heappop(self._partials) for _ in range(count)]
                if self._stopping and not self._partials:
                    return None
                self._changed.wait(patience if self._partials else None)

    def _partial_goes_first(self) -> bool:
        if not self._partials:
            return False
        return self._partials[0].due + PARTIAL_SECONDS < self._urgent[0].submitted + URGENT_SECONDS

    def _forget_withdrawn(self) -> None:
        if any(job.future.cancelled() for job in self._partials):
            self._partials = [job for job in self._partials if not job.future.cancelled()]
            heapq.heapify(self._partials)

    def _patience_seconds(self) -> float:
        """How long the partial that is due first waits for others."""
        if not self._partials:
            return 0.0
        first = self._partials[0]
        if self._stopping or len(self._partials) >= min(first.batch_policy.count, self._together_max):
            return 0.0
        return first.due + first.batch_policy.seconds_max - time.monotonic()

    def _run_partials(self, jobs: Sequence[_Partial]) -> None:
        running = [job for job in jobs if job.future.set_running_or_notify_cancel()]
        if not running:
            return
        begun = time.monotonic()
        try:
            results = self._decode_partials([job.session for job in running])
        except BaseException as error:  # noqa: BLE001 - whoever waits for the results gets it
            for job in running:
                job.future.set_exception(error)
            return
        share = (time.monotonic() - begun) / len(running)
        for job, result in zip(running, results, strict=True):
            job.future.set_result(CallResult(result, begun - job.submitted, share, begun))


def _run_urgent(job: _Urgent) -> None:
    if not job.future.set_running_or_notify_cancel():
        return
    begun = time.monotonic()
    try:
        result = job.work()
    except BaseException as error:  # noqa: BLE001 - whoever waits for the result gets it
        job.future.set_exception(error)
    else:
        job.future.set_result(CallResult(result, begun - job.submitted, time.monotonic() - begun, begun))


@asynccontextmanager
async def open_session_threads(
    count: int, decode_partials: DecodePartials, together_max: int
) -> AsyncIterator[SessionThreads]:
    """So many threads. At the end the calls that still run are waited for."""
    work = SessionThreads(count, decode_partials, together_max)
    threads = [threading.Thread(target=work.run, name=f"session-{number}", daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield work
    finally:
        work.stop()
        for thread in threads:
            await asyncio.to_thread(thread.join)
