"""Telling of a new job: the first event of its history, then a hint to the workers."""

import asyncio

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.bus.connection import Bus
from tiro_core.bus.hints import offer_job
from tiro_core.bus.publishing import BusUnavailable, StreamFull
from tiro_core.jobs.history import JobHistory
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
        await JobHistory(self._bus, record.tenant, record.transcription_id).begin(record)
        try:
            async with asyncio.timeout(HINT_SECONDS_MAX):
                await offer_job(self._bus, record)
        except (TimeoutError, BusUnavailable, StreamFull) as error:
            log.warning("hint_not_published", error=repr(error))


def waits(record: TranscriptionRecord) -> bool:
    """Whether a job waits for its first worker, so that it may be announced."""
    return record.state == Transcription.STATE_QUEUED and record.epoch == 0
