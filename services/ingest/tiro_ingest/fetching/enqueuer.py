"""Enqueueing fetches, and enqueueing them again when their jobs do not change: a task message may be lost."""

import asyncio
import time

from tiro.events.v1.transcription_pb2 import TranscriptionRecord, TranscriptionTask
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.logs.logger import get_logger
from tiro_core.messaging import subjects
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import MessagingError
from tiro_core.messaging.queues.tasks import enqueue

INTERVAL_SECONDS = 1.0

log = get_logger()


class FetchEnqueuer:
    """Enqueues jobs that are FETCHING. Several may run at once: the queue refuses a fetch that it has already."""

    def __init__(self, bus: Bus, again_seconds: float) -> None:
        self._bus = bus
        self._again_seconds = again_seconds
        self._due: dict[str, tuple[float, TranscriptionTask]] = {}
        self._news = asyncio.Event()

    def on_change(self, key: str, record: TranscriptionRecord | None) -> None:
        """Note that a job was written or deleted (`record` is None)."""
        if record is None or record.removing or record.state != Transcription.STATE_FETCHING:
            self._due.pop(key, None)
            return
        quiet = self._again_seconds if record.HasField("lease") else 0.0
        task = TranscriptionTask(tenant=record.tenant, transcription_id=record.transcription_id)
        self._due[key] = (time.monotonic() + quiet, task)
        self._news.set()

    async def run(self) -> None:
        """Enqueue fetches when they are due, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(INTERVAL_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            for key, (due, task) in list(self._due.items()):
                if due <= time.monotonic():
                    await self._enqueue(key, task)

    async def _enqueue(self, key: str, task: TranscriptionTask) -> None:
        try:
            await enqueue(self._bus, subjects.fetch(task.tenant, task.transcription_id), task.SerializeToString())
        except MessagingError as error:
            log.warning("fetch_not_enqueued", job=task.transcription_id, error=repr(error))
        if key in self._due:
            self._due[key] = (time.monotonic() + self._again_seconds, task)
