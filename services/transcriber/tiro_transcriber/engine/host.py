"""The loaded engine and the threads that run it: the event loop never blocks on a decoding."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager

from tiro_core.logs.logger import get_logger
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
from tiro_transcriber.engine.session_threads import CallResult, SessionThreads, open_session_threads

log = get_logger()


class EngineHost:
    """Runs an engine on separate threads for jobs and for live sessions, so that neither waits for the other."""

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
        """Open a live session; see `Engine.open_session`. The session is closed again if the caller is cancelled."""
        opening = self.session_threads.submit_priority(lambda: self.engine.open_session(options, start, context))
        try:
            return (await asyncio.wrap_future(opening)).result
        except asyncio.CancelledError:
            opening.add_done_callback(_close_session)
            raise


def _close_session(opening: "Future[CallResult[EngineSession]]") -> None:
    """Close a session whose caller was cancelled while it was opened. Called on any thread, also the loop's."""
    if opening.cancelled():
        return
    if (error := opening.exception()) is not None:
        log.warning("abandoned_opening_failed", error=error)
    else:
        opening.result().result.close()


def _expect_cancelled(running: "asyncio.Future[WindowResult]") -> None:
    """Read the exception of a cancelled decoding, so that asyncio does not report it."""
    if not running.cancelled() and not isinstance(running.exception(), Cancelled | None):
        log.warning("abandoned_decoding_failed", error=running.exception())


@asynccontextmanager
async def open_engine_host(engine: Engine, *, job_slots: int, session_threads: int) -> AsyncIterator[EngineHost]:
    """The threads of an engine. The end of the context waits for decodings that still run, then closes the engine."""
    jobs = ThreadPoolExecutor(max(1, job_slots), thread_name_prefix="job")
    try:
        async with open_session_threads(
            session_threads, engine.decode_partials, engine.partial_batch_size_max
        ) as sessions:
            yield EngineHost(engine, jobs, sessions)
    finally:
        await asyncio.to_thread(jobs.shutdown, wait=True, cancel_futures=True)
        engine.close()
