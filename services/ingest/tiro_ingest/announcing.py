"""Telling of a new job: the first event of its history, then a hint to the workers."""

import asyncio

from nats.js.errors import APIError

from tiro.events.v1.transcription_pb2 import TranscriptionEvent, TranscriptionRecord, TranscriptionTask
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.bus import subjects, topology
from tiro_core.bus.connection import Bus
from tiro_core.bus.line import EventLine, Fenced
from tiro_core.bus.publishing import BusUnavailable, publish
from tiro_core.logs import get_logger

HINT_SECONDS_MAX = 10.0
"""How long a caller waits for the hint. The job is safe without it: hints are published again for records that wait."""

log = get_logger()


class JobAnnouncer:
    """Says that a job waits. Saying it twice does no harm: the record decides."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def announce(self, record: TranscriptionRecord) -> None:
        """Tell of a job that is QUEUED.

        Raises:
            BusUnavailable: NATS stayed away before the job's history was begun.
        """
        await self._begin_history(record)
        try:
            async with asyncio.timeout(HINT_SECONDS_MAX):
                await self._hint(record)
        except (TimeoutError, BusUnavailable, APIError) as error:
            log.warning("hint_not_published", error=repr(error))

    async def _begin_history(self, record: TranscriptionRecord) -> None:
        subject = subjects.job_events(record.tenant, record.transcription_id)
        line = EventLine(self._bus, topology.JOB_EVENTS, subject, TranscriptionEvent, lambda event: event.sequence)
        if await line.resume() is not None:
            return
        try:
            await line.append(lambda sequence: TranscriptionEvent(sequence=sequence, state_changed=record))
        except Fenced:
            log.debug("history_has_begun")  # a worker was faster, or the same request came twice

    async def _hint(self, record: TranscriptionRecord) -> None:
        subject = subjects.task(record.config.engine, record.config.model, record.tenant)
        task = TranscriptionTask(tenant=record.tenant, transcription_id=record.transcription_id)
        # Within JetStream's window for duplicates a repeated request adds no second hint.
        headers = {"Nats-Msg-Id": f"{record.tenant}.{record.transcription_id}.{record.epoch}"}
        await publish(self._bus, subject, task.SerializeToString(), headers=headers)


def waits(record: TranscriptionRecord) -> bool:
    """Whether a job waits for its first worker, so that it may be announced."""
    return record.state == Transcription.STATE_QUEUED and record.epoch == 0
