"""Enqueueing jobs again that were begun and whose record has not changed for too long: their task message was lost.

Jobs that were never begun are the dispatcher's. Enqueueing is harmless: a queue has at most one task message for a job,
and the record decides whether it needs a worker.
"""

import asyncio
import time
from dataclasses import dataclass

import structlog

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.jobs.states import TERMINAL
from tiro_core.leases.owned_record import lease_seconds_left
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import MessagingError
from tiro_core.messaging.queues.tasks import enqueue_job

log = get_logger()


@dataclass(slots=True)
class _Waiting:
    record: TranscriptionRecord
    since: float
    """When the job was last written or enqueued, by the monotonic clock."""


class Reconciler:
    """Follows jobs that were begun and are not over, and enqueues those again whose record has not changed for a time.

    Several may run at once, one in each ingest service. Its memory grows with the number of these jobs.
    """

    def __init__(self, bus: Bus, after_seconds: float) -> None:
        self._bus = bus
        self._after_seconds = after_seconds
        self._open: dict[str, _Waiting] = {}

    def on_change(self, key: str, record: TranscriptionRecord | None) -> None:
        """Note that a job was written or deleted (`record` is None)."""
        if record is not None and record.attempts and record.state not in TERMINAL:
            self._open[key] = _Waiting(record, time.monotonic())
        else:
            self._open.pop(key, None)

    async def run(self) -> None:
        """Enqueue jobs again when they are due, until cancelled."""
        while True:
            await asyncio.sleep(self._after_seconds / 2)
            for waiting in list(self._open.values()):
                if self._forgotten(waiting):
                    await self._offer(waiting)

    def _forgotten(self, waiting: _Waiting) -> bool:
        quiet = time.monotonic() - waiting.since
        running = waiting.record.state == Transcription.STATE_RUNNING
        return quiet >= self._after_seconds and not (running and lease_seconds_left(waiting.record) > 0)

    async def _offer(self, waiting: _Waiting) -> None:
        with structlog.contextvars.bound_contextvars(tenant=waiting.record.tenant, job=waiting.record.transcription_id):
            try:
                if await enqueue_job(self._bus, waiting.record):
                    log.warning("job_offered_again", note="its task message was lost")
            except MessagingError as error:
                log.warning("job_not_offered", error=repr(error))
                return
        waiting.since = time.monotonic()
