"""Following a job: its events from any sequence number to its end."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from tiro.events.v1.transcription_pb2 import TranscriptionEvent, TranscriptionRecord
from tiro.transcription.v1.transcription_service_pb2 import WatchTranscriptionResponse
from tiro_core.jobs.states import TERMINAL
from tiro_core.logs.logger import get_logger
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.decoding import decode
from tiro_core.messaging.errors import MessagingError
from tiro_core.messaging.event_log import EventLog
from tiro_core.messaging.reading.ordered_consumer import OrderedConsumer, StreamState
from tiro_core.server.interruptible import until_stopping
from tiro_ingest.jobs.store import Transcriptions
from tiro_ingest.resources.conversion import public_event

SILENCES_MAX = 32
"""A record is read after 1, 2, 4, 8 and 16 silences in a row, and then after every 32nd. Most jobs are silent for long,
and a missing last event is also written by the next worker that gets the job's task message."""

log = get_logger()


class JobWatcher:
    """Follows jobs for callers.

    Args:
        bus: The connection.
        jobs: The jobs.
        stopping: Set when the service stops: watches end, and their callers continue with another service.
        check_seconds: How long the event log may be silent before the record is read for the first time.
    """

    def __init__(self, bus: Bus, jobs: Transcriptions, stopping: asyncio.Event, *, check_seconds: float) -> None:
        self._bus = bus
        self._jobs = jobs
        self._stopping = stopping
        self._check_seconds = check_seconds

    async def watch(
        self, tenant: str, job_id: str, after_sequence: int
    ) -> AsyncGenerator[WatchTranscriptionResponse, None]:
        """The events of a job after `after_sequence`, past and new ones, to its terminal state.

        Raises:
            TiroError: NOT_FOUND; or UNAVAILABLE, the service stops.
        """
        job = await self._jobs.get(tenant, job_id)
        seen = silences = 0
        async with (
            OrderedConsumer(self._bus, topology.JOB_EVENTS, subjects.job_events(tenant, job_id)) as tail,
            aclosing(until_stopping(aiter(tail), self._stopping, silence_seconds=self._check_seconds)) as entries,
        ):
            async for entry in entries:
                silences = silences + 1 if entry is None else 0
                if not _is_check_due(silences):
                    continue
                if entry is None or isinstance(entry, StreamState):  # silence, or the end of the stored events
                    event = await self._missing_end(job, max(seen, after_sequence))
                else:
                    event = decode(TranscriptionEvent, entry, topology.JOB_EVENTS)
                if event is None or event.sequence <= seen:
                    continue
                seen = event.sequence
                if seen > after_sequence:
                    yield public_event(event, job)
                if event.state_changed.state in TERMINAL:
                    return

    async def _missing_end(self, job: TranscriptionRecord, seen: int) -> TranscriptionEvent | None:
        """The terminal event of a job that is over, made from its record because the event log lacks it.

        A worker that ends a job writes the record, then the event, and may die in between; event logs are also kept for
        a shorter time than records. The event made here is the one that the worker would have written, with its number.
        """
        try:
            record = await self._jobs.get(job.tenant, job.transcription_id)
            if record.state not in TERMINAL:
                return None
            # Read after the record: the log has all events that the worker wrote before it ended the job.
            line = EventLog(
                self._bus,
                topology.JOB_EVENTS,
                subjects.job_events(job.tenant, job.transcription_id),
                TranscriptionEvent,
                lambda event: event.sequence,
            )
            await line.resume()
        except MessagingError as error:
            log.debug("job_not_looked_at", error=repr(error))
            return None
        if line.sequence > seen:
            return None
        return TranscriptionEvent(sequence=seen + 1, attempt=len(record.attempts), state_changed=record)


def _is_check_due(silences: int) -> bool:
    """Whether the record is to be read after this number of silences in a row. 0: there was none."""
    return silences & (silences - 1) == 0 if silences < SILENCES_MAX else silences % SILENCES_MAX == 0
