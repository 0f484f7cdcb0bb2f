"""Detached sessions: they have lost their connection, and wait for their client to resume them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tiro.events.v1.live_pb2 import SessionRecord
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.errors import MessagingError
from tiro_core.messaging.event_log import Fenced
from tiro_core.server.tenant_limit import TenantLimit
from tiro_streamer.audio_log.writer import AudioLogWriter
from tiro_streamer.errors import client_gone, no_capacity
from tiro_streamer.metrics import SESSIONS_DETACHED

log = get_logger()


class DetachedSessions:
    """Keeps each detached session in a separate task. Use `open_detached_sessions`."""

    def __init__(self, tasks: asyncio.TaskGroup, *, sessions_max: int, share: float) -> None:
        self._tasks = tasks
        self._limit = TenantLimit(
            "detached_sessions",
            sessions_max,
            share=share,
            total_reached=lambda: no_capacity("all slots for sessions whose connection was lost"),
        )
        self._waiting: set[asyncio.Task[None]] = set()

    def keep(self, record: SessionRecord, audio_log: AudioLogWriter) -> None:
        """Keep a session for its resume window, then end it unless a connection has resumed it. Owns the audio log.

        Raises:
            TiroError: NO_CAPACITY or TENANT_LIMIT_REACHED. The caller ends the session, and still owns the audio log.
        """
        self._limit.acquire(record.tenant)
        task = self._tasks.create_task(self._hold(record, audio_log), name=f"detached:{record.session_id}")
        self._waiting.add(task)

        def forget(task: asyncio.Task[None]) -> None:
            self._waiting.discard(task)
            self._limit.release(record.tenant)

        task.add_done_callback(forget)

    def cancel(self) -> None:
        """Stop keeping sessions. A client can still resume one; otherwise its worker ends it."""
        for task in self._waiting:
            task.cancel()

    async def _hold(self, record: SessionRecord, audio_log: AudioLogWriter) -> None:
        seconds = record.resume_window.ToMilliseconds() / 1000
        log.info("session_detached", session=record.session_id, seconds=seconds)
        with SESSIONS_DETACHED.track_inprogress():
            try:
                await audio_log.settle()
                await asyncio.sleep(seconds)
                await audio_log.end_early(client_gone().to_status())
            except Fenced:
                log.info("session_was_resumed", session=record.session_id)
            except MessagingError as error:
                log.warning("session_left", session=record.session_id, error=repr(error))
            else:
                log.info("session_abandoned", session=record.session_id)
            finally:
                await audio_log.close()


@asynccontextmanager
async def open_detached_sessions(*, sessions_max: int, share: float) -> AsyncIterator[DetachedSessions]:
    """Detached sessions, kept while the context lasts.

    Args:
        sessions_max: The most sessions that are kept.
        share: The fraction of them that one tenant may have.
    """
    async with asyncio.TaskGroup() as tasks:
        detached = DetachedSessions(tasks, sessions_max=sessions_max, share=share)
        try:
            yield detached
        finally:
            detached.cancel()
