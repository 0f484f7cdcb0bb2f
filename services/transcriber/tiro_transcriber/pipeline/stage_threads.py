"""The threads of stages, with a time limit for each call.

A call that exceeds its limit cannot be stopped: its thread is busy until it ends. The stop of the worker does not wait
for it.
"""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from tiro_core.logs.logger import get_logger

T = TypeVar("T")

THREADS = 4
"""The threads of one worker. Stages are Python code: more threads would wait for the interpreter's lock."""
STOP_SECONDS = 2.0
"""How long the stop of a worker waits for a call that still runs."""

log = get_logger()


class StageTimeout(Exception):  # noqa: N818 - reads as the condition it reports
    """A call has exceeded its time limit.

    Attributes:
        call: The call. It is done if it had not begun; otherwise it still runs.
    """

    def __init__(self, call: "Future[Any]") -> None:
        super().__init__("no thread was free" if call.done() else "it still runs")
        self.call = call


class StageThreads:
    """Runs blocking calls. Use `open_stage_threads`."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()

    async def run(self, call: Callable[[], T], seconds_max: float) -> T:
        """Run a call on a thread.

        Args:
            call: The call.
            seconds_max: How long it may take, including the wait for a thread.

        Raises:
            StageTimeout: The call took longer.
            Exception: The call's own exception.
        """
        future: Future[T] = Future()
        self._calls.put((call, future))
        limit = asyncio.timeout(seconds_max)
        try:
            async with limit:
                return await asyncio.wrap_future(future)
        except TimeoutError:
            if not limit.expired():
                raise  # the call's own TimeoutError
            raise StageTimeout(future) from None

    def work(self) -> None:
        """Run calls until stopped. The body of each thread."""
        while (entry := self._calls.get()) is not None:
            call, future = entry
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - the caller gets it
                future.set_exception(error)
            else:
                future.set_result(result)

    def stop(self, threads: int) -> None:
        """End this number of threads."""
        for _ in range(threads):
            self._calls.put(None)


@asynccontextmanager
async def open_stage_threads() -> AsyncIterator[StageThreads]:
    """`THREADS` threads. The end of the context waits up to `STOP_SECONDS` for a call that still runs."""
    calls = StageThreads()
    threads = [threading.Thread(target=calls.work, name=f"stage-{number}", daemon=True) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        yield calls
    finally:
        calls.stop(len(threads))
        for thread in threads:
            await asyncio.to_thread(thread.join, STOP_SECONDS)
        if any(thread.is_alive() for thread in threads):
            log.warning("stage_left_running")
