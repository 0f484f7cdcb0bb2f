"""Enqueueing callbacks once their jobs are over."""

import asyncio

from tiro.events.v1.transcription_pb2 import TranscriptionRecord, TranscriptionTask
from tiro.transcription.v1.transcription_pb2 import Callback
from tiro_core.logs.logger import get_logger
from tiro_core.messaging import subjects
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import MessagingError
from tiro_core.messaging.queues.tasks import enqueue

RETRY_SECONDS = 5.0

log = get_logger()


class CallbackEnqueuer:
    """Enqueues the callbacks that the records of jobs ask for. A service that restarts finds them in the records again.

    Several may run at once, one in each ingest service: the queue refuses a callback that it has already.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._pending: dict[str, TranscriptionTask] = {}
        self._news = asyncio.Event()

    def on_change(self, key: str, record: TranscriptionRecord | None) -> None:
        """Note that a job was written or deleted (`record` is None)."""
        if record is None or record.removing or record.callback.state != Callback.STATE_PENDING:
            self._pending.pop(key, None)
        elif not record.callback.deliveries:
            # A callback that was tried is in the queue until it is delivered or given up.
            self._pending[key] = TranscriptionTask(tenant=record.tenant, transcription_id=record.transcription_id)
            self._news.set()

    async def run(self) -> None:
        """Enqueue callbacks, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._pending:
                key, task = next(iter(self._pending.items()))
                subject = subjects.callback(task.tenant, task.transcription_id)
                try:
                    await enqueue(self._bus, subject, task.SerializeToString())
                except MessagingError as error:
                    log.warning("callback_not_offered", error=repr(error), again_in_seconds=RETRY_SECONDS)
                    await asyncio.sleep(RETRY_SECONDS)
                else:
                    self._pending.pop(key, None)
