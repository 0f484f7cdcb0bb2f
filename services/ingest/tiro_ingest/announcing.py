"""Telling of a new job: the first event of its history, then a hint to the workers."""

import asyncio

from tiro.events.v1.transcription_pb2 import TranscriptionEvent, TranscriptionRecord
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.bus import subjects, topology
from tiro_core.bus.connection import Bus
from tiro_core.bus.hints import offer_job
from tiro_core.bus.line import EventLine, Fenced
from tiro_core.bus.publishing import BusUnavailable, StreamFull
from tiro_core.logs import get_logger

HINT_SECONDS_MAX = 10.0
"""How long a caller waits for the hint. The job is safe without it: the reconciler offers jobs that wait."""

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
                await offer_job(self._bus, record)
        except (TimeoutError, BusUnavailable, StreamFull) as error:
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


def waits(record: TranscriptionRecord) -> bool:
    """Whether a job waits for its first worker, so that it may be announced."""
    return record.state == Transcription.STATE_QUEUED and record.epoch == 0
