"""The threads on which live sessions run their engine: what cannot wait first, then the partial that is due longest."""

import asyncio
import itertools
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_URGENT, _PARTIAL, _STOP = range(3)


@dataclass(order=True)
class _Job:
    priority: int
    due: float
    number: int
    work: Callable[[], Any] = field(compare=False)
    future: "Future[Any]" = field(compare=False)
    submitted: float = field(compare=False)


@dataclass(frozen=True, slots=True)
class Ran(Generic[T]):
    """What a piece of work gave, and what it took."""

    result: T
    waited_seconds: float
    """For a thread."""
    busy_seconds: float


class SessionThreads:
    """Runs blocking calls of live sessions. Use `open_session_threads`.

    A session has one call under way at a time, so at most as many wait as there are sessions.
    """

    def __init__(self) -> None:
        self._jobs: queue.PriorityQueue[_Job] = queue.PriorityQueue()
        self._numbers = itertools.count()

    async def urgent(self, work: Callable[[], T]) -> Ran[T]:
        """Run what a speaker waits for: voice activity and finals, in the order of their coming."""
        return await asyncio.wrap_future(self._submit(_URGENT, 0.0, work))

    def partial(self, work: Callable[[], T], due: float) -> "Future[Ran[T]]":
        """Run a partial when nothing is urgent, the one with the smallest `due` first.

        As long as it waits for a thread, cancelling the future withdraws it.
        """
        return self._submit(_PARTIAL, due, work)

    def run(self) -> None:
        """Work until stopped. The body of each thread."""
        while (job := self._jobs.get()).priority != _STOP:
            if not job.future.set_running_or_notify_cancel():
                continue
            begun = time.monotonic()
            try:
                result = job.work()
            except BaseException as error:  # noqa: BLE001 - whoever waits for the result gets it
                job.future.set_exception(error)
            else:
                job.future.set_result(Ran(result, begun - job.submitted, time.monotonic() - begun))

    def stop(self, threads: int) -> None:
        """Let so many threads end, once all that waits is done."""
        for _ in range(threads):
            self._jobs.put(_Job(_STOP, 0.0, next(self._numbers), lambda: None, Future(), 0.0))

    def _submit(self, priority: int, due: float, work: Callable[[], T]) -> "Future[Ran[T]]":
        future: Future[Ran[T]] = Future()
        self._jobs.put(_Job(priority, due, next(self._numbers), work, future, time.monotonic()))
        return future


@asynccontextmanager
async def open_session_threads(count: int) -> AsyncIterator[SessionThreads]:
    """So many threads. At the end the calls that still run are waited for."""
    work = SessionThreads()
    threads = [threading.Thread(target=work.run, name=f"session-{number}", daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield work
    finally:
        work.stop(count)
        for thread in threads:
            await asyncio.to_thread(thread.join)
