"""Sessions whose client was lost: kept for as long as it may come back, to this streamer or another one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tiro.events.v1.live_pb2 import SessionRecord
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.errors import MessagingError
from tiro_streamer.audio_log.writer import AudioLogTaken, AudioLogWriter
from tiro_streamer.errors import client_gone
from tiro_streamer.metrics import SESSIONS_DETACHED

log = get_logger()


class DetachedSessions:
    """The sessions that wait, each in a task of its own. Use `open_detached_sessions`."""

    def __init__(self, tasks: asyncio.TaskGroup, *, sessions_max: int) -> None:
        self._tasks = tasks
        self._sessions_max = sessions_max
        self._waiting: set[asyncio.Task[None]] = set()

    def keep(self, record: SessionRecord, line: AudioLogWriter) -> bool:
        """Keep a session for its window; then end it, unless somebody has resumed it.

        Returns:
            Whether there was room to keep it. If not it is to be ended now.
        """
        if len(self._waiting) >= self._sessions_max:
            return False
        task = self._tasks.create_task(self._wait(record, line), name=f"detached:{record.session_id}")
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        return True

    def cancel(self) -> None:
        """Wait no longer. Whoever resumes a session finds it; one that nobody resumes is ended by its worker."""
        for task in self._waiting:
            task.cancel()

    async def _wait(self, record: SessionRecord, line: AudioLogWriter) -> None:
        seconds = record.resume_window.ToMilliseconds() / 1000
        log.info("session_detached", session=record.session_id, seconds=seconds)
        with SESSIONS_DETACHED.track_inprogress():
            try:
                await line.settle()
                await asyncio.sleep(seconds)
                await line.end_early(client_gone().to_status())
            except AudioLogTaken:
                log.info("session_was_resumed", session=record.session_id)
            except MessagingError as error:
                log.warning("session_left", session=record.session_id, error=repr(error))
            else:
                log.info("session_abandoned", session=record.session_id)


@asynccontextmanager
async def open_detached_sessions(*, sessions_max: int) -> AsyncIterator[DetachedSessions]:
    """A place to keep sessions while the context lasts."""
    async with asyncio.TaskGroup() as tasks:
        detached = DetachedSessions(tasks, sessions_max=sessions_max)
        try:
            yield detached
        finally:
            detached.cancel()
