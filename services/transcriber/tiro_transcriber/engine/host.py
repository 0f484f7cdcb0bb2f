"""The loaded engine and the threads that run it: the event loop never waits for a decoding."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from tiro_core.logs import get_logger
from tiro_engines.interface import (
    Cancelled,
    CommittedContext,
    Engine,
    EngineSession,
    RecognitionOptions,
    Segment,
    SessionOptions,
    Window,
    WindowResult,
)
from tiro_transcriber.engine.session_threads import SessionThreads, open_session_threads

log = get_logger()


class EngineHost:
    """Runs an engine on threads of its own: some for jobs, some for live sessions; neither waits for the other."""

    def __init__(self, engine: Engine, job_threads: ThreadPoolExecutor, session_threads: SessionThreads) -> None:
        self.engine = engine
        self._job_threads = job_threads
        self.session_threads = session_threads

    async def transcribe(
        self, window: Window, options: RecognitionOptions, emit: Callable[[Segment], None]
    ) -> WindowResult:
        """Transcribe one window. `emit` is called on the event loop, in order.

        Cancelling stops the decoding at its next segment and does not wait for it.
        """
        loop = asyncio.get_running_loop()
        cancelled = threading.Event()

        def emit_on_loop(segment: Segment) -> None:
            loop.call_soon_threadsafe(emit, segment)

        def work() -> WindowResult:
            return self.engine.transcribe(window, options, emit_on_loop, cancelled)

        running = loop.run_in_executor(self._job_threads, work)
        try:
            result = await asyncio.shield(running)
        except asyncio.CancelledError:
            cancelled.set()
            running.add_done_callback(_expect_cancelled)
            raise
        return result

    async def open_session(
        self, options: SessionOptions, start: int, context: CommittedContext | None
    ) -> EngineSession:
        """Begin a live session; see `Engine.open_session`."""
        return (
            await self.session_threads.run_priority(lambda: self.engine.open_session(options, start, context))
        ).result


def _expect_cancelled(running: "asyncio.Future[WindowResult]") -> None:
    """Take note of how an abandoned decoding ended, so that nothing else complains."""
    if not running.cancelled() and not isinstance(running.exception(), Cancelled | None):
        log.warning("abandoned_decoding_failed", error=repr(running.exception()))


@asynccontextmanager
async def open_engine_host(engine: Engine, *, job_slots: int, session_threads: int) -> AsyncIterator[EngineHost]:
    """Threads for an engine. At the end decodings that still run are waited for, then the engine is closed."""
    jobs = ThreadPoolExecutor(max(1, job_slots), thread_name_prefix="job")
    try:
        async with open_session_threads(
            session_threads, engine.decode_partials, engine.partial_batch_size_max
        ) as sessions:
            yield EngineHost(engine, jobs, sessions)
    finally:
        await asyncio.to_thread(jobs.shutdown, wait=True, cancel_futures=True)
        engine.close()
