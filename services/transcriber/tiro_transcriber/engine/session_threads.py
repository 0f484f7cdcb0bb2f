"""The threads that run the engine's live sessions: the earliest deadline first.

Voice activity and finals have early deadlines, partials later ones. So finals run first, but a burst of them does not
delay partials for seconds. Partials of several sessions are cheaper in one batch: when several are expected, the first
one waits a moment for the others.
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

from tiro_core.logs.logger import get_logger
from tiro_engines.interface import EngineSession, SessionUpdate

T = TypeVar("T")

PRIORITY_SECONDS = 0.3
"""The deadline of a priority call, for which a speaker waits: the time from its submission."""
PARTIAL_SECONDS = 1.0
"""The deadline of a partial: the time after it was due."""

DecodePartials = Callable[[Sequence[EngineSession]], list[list[SessionUpdate]]]

log = get_logger()


class WrongNumberOfResults(Exception):  # noqa: N818 - reads as the condition it reports
    """An engine has not returned one list of updates for each session of a batch."""


@dataclass(frozen=True, slots=True)
class CallResult(Generic[T]):
    """The result of a call, with its timing."""

    result: T
    waited_seconds: float
    """How long the call waited for a thread."""
    busy_seconds: float
    """The time of the thread that it used: its share of a batch."""
    begun: float
    """When the call began, on the monotonic clock."""


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """How many other partials a partial waits for, and how long."""

    batch_size: int = 1
    """A batch begins as soon as it has this number of partials."""
    seconds_max: float = 0.0
    """A smaller batch begins this long after its first partial was due."""


NO_BATCHING = BatchPolicy()

PartialFuture = Future[CallResult[list[SessionUpdate]]]


@dataclass(slots=True)
class _PriorityCall:
    work: Callable[[], Any]
    future: "Future[Any]"
    submitted: float


@dataclass(order=True, slots=True)
class _PartialCall:
    due: float
    number: int
    session: EngineSession = field(compare=False)
    batch_policy: BatchPolicy = field(compare=False)
    future: PartialFuture = field(compare=False)
    submitted: float = field(compare=False)


class SessionThreads:
    """Runs blocking calls of live sessions. Use `open_session_threads`.

    A session has one call under way at a time, so the number of waiting calls is at most that of sessions.
    """

    def __init__(self, count: int, decode_partials: DecodePartials, batch_size_max: int) -> None:
        self.count = count
        self._decode_partials = decode_partials
        self._batch_size_max = batch_size_max
        self._changed = threading.Condition()
        self._priority: deque[_PriorityCall] = deque()
        self._partials: list[_PartialCall] = []
        self._numbers = itertools.count()
        self._stopping = False

    async def run_priority(self, work: Callable[[], T]) -> CallResult[T]:
        """Run voice activity or a final, for which a speaker waits, in the order of submission.

        The call runs before partials, except those that are overdue.
        """
        return await asyncio.wrap_future(self.submit_priority(work))

    def submit_priority(self, work: Callable[[], T]) -> "Future[CallResult[T]]":
        """Submit a priority call without waiting for it. Cancelling the future before the call begins withdraws it."""
        future: Future[CallResult[T]] = Future()
        with self._changed:
            self._priority.append(_PriorityCall(work, future, time.monotonic()))
            self._changed.notify()
        return future

    def partial(self, session: EngineSession, due: float, batch_policy: BatchPolicy = NO_BATCHING) -> PartialFuture:
        """Submit a session's partial. Of several partials the one with the smallest `due` runs first.

        Cancelling the future before the call begins withdraws it.

        Args:
            session: The session.
            due: When the partial is due, on the monotonic clock.
            batch_policy: How many partials of other sessions it waits for, and how long.
        """
        future: PartialFuture = Future()
        with self._changed:
            call = _PartialCall(due, next(self._numbers), session, batch_policy, future, time.monotonic())
            heapq.heappush(self._partials, call)
            self._changed.notify()
        return future

    def run(self) -> None:
        """Run calls until stopped. The body of each thread."""
        while (call := self._next()) is not None:
            if isinstance(call, _PriorityCall):
                _run_priority(call)
            else:
                self._run_partials(call)

    def stop(self) -> None:
        """Let the threads end once all submitted calls are done."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def _next(self) -> _PriorityCall | list[_PartialCall] | None:
        """Wait for the next call: a priority call, or a batch of partials. None at the end."""
        with self._changed:
            while True:
                self._drop_withdrawn()
                if self._priority and not self._partial_goes_first():
                    return self._priority.popleft()
                patience = self._patience_seconds()
                if self._partials and (patience <= 0 or self._priority):
                    count = min(self._batch_size_max, len(self._partials))
                    return [heapq.heappop(self._partials) for _ in range(count)]
                if self._stopping and not self._partials:
                    return None
                self._changed.wait(patience if self._partials else None)

    def _partial_goes_first(self) -> bool:
        if not self._partials:
            return False
        return self._partials[0].due + PARTIAL_SECONDS < self._priority[0].submitted + PRIORITY_SECONDS

    def _drop_withdrawn(self) -> None:
        if any(call.future.cancelled() for call in self._partials):
            self._partials = [call for call in self._partials if not call.future.cancelled()]
            heapq.heapify(self._partials)

    def _patience_seconds(self) -> float:
        """How long the partial with the earliest due time still waits for others."""
        if not self._partials:
            return 0.0
        first = self._partials[0]
        if self._stopping or len(self._partials) >= min(first.batch_policy.batch_size, self._batch_size_max):
            return 0.0
        return first.due + first.batch_policy.seconds_max - time.monotonic()

    def _run_partials(self, calls: Sequence[_PartialCall]) -> None:
        """Decode one batch. If that fails, decode its sessions one by one, so that only the faulty one fails."""
        batch = [call for call in calls if call.future.set_running_or_notify_cancel()]
        if not batch:
            return
        error = self._decode_batch(batch)
        if error is not None and len(batch) == 1:
            batch[0].future.set_exception(error)
        elif error is not None:
            log.warning("partials_decoded_one_by_one", sessions=len(batch), reason=error)
            for call in batch:
                if (own := self._decode_batch([call])) is not None:
                    call.future.set_exception(own)

    def _decode_batch(self, batch: Sequence[_PartialCall]) -> BaseException | None:
        """Decode a batch and resolve its futures. On an exception, returns it and resolves none."""
        begun = time.monotonic()
        try:
            results = self._decode_partials([call.session for call in batch])
            if len(results) != len(batch):
                raise WrongNumberOfResults(f"{len(results)} results for a batch of {len(batch)} sessions")  # noqa: TRY301
        except BaseException as error:  # noqa: BLE001 - the callers get it
            return error
        share = (time.monotonic() - begun) / len(batch)
        for call, result in zip(batch, results, strict=True):
            call.future.set_result(CallResult(result, begun - call.submitted, share, begun))
        return None


def _run_priority(call: _PriorityCall) -> None:
    if not call.future.set_running_or_notify_cancel():
        return
    begun = time.monotonic()
    try:
        result = call.work()
    except BaseException as error:  # noqa: BLE001 - the caller gets it
        call.future.set_exception(error)
    else:
        call.future.set_result(CallResult(result, begun - call.submitted, time.monotonic() - begun, begun))


@asynccontextmanager
async def open_session_threads(
    count: int, decode_partials: DecodePartials, batch_size_max: int
) -> AsyncIterator[SessionThreads]:
    """Start the threads. The end of the context waits for the submitted calls."""
    session_threads = SessionThreads(count, decode_partials, batch_size_max)
    threads = [
        threading.Thread(target=session_threads.run, name=f"session-{number}", daemon=True) for number in range(count)
    ]
    for thread in threads:
        thread.start()
    try:
        yield session_threads
    finally:
        session_threads.stop()
        for thread in threads:
            await asyncio.to_thread(thread.join)
