"""The originals of shadows: a job that has succeeded, or a live session that is over."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from tiro.events.v1.live_pb2 import LiveEvent, SessionRecord
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro_core.blobs.interface import PartMissing
from tiro_core.jobs.records import JobRecords
from tiro_core.jobs.shadows import wants_shadow
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.reading.ordered_consumer import OrderedConsumer, StreamState
from tiro_core.messaging.records import RecordStore
from tiro_ingest.jobs.transcripts import TranscriptReader
from tiro_ingest.shadows.difference import words_of


class _Compared(Exception):  # noqa: N818 - control flow of this module
    """Another ingest service has compared the original already."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The policy, engine and model of the original."""

    policy: str
    engine: str
    model: str


class Original(Protocol):
    """A job or live session that has a shadow."""

    @property
    def labels(self) -> Labels:
        """The policy, engine and model of the original."""

    async def words(self) -> list[str]:
        """The words of the original.

        Raises:
            PartMissing: The original is removed, or is being removed.
        """

    async def mark_compared(self) -> bool:
        """Mark the original as compared. Returns whether it was not marked before."""


class Originals:
    """Finds the originals of shadows."""

    def __init__(self, bus: Bus, transcripts: TranscriptReader) -> None:
        self._bus = bus
        self._jobs = JobRecords(bus)
        self._sessions = RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord)
        self._transcripts = transcripts

    def of_job(self, job: TranscriptionRecord) -> "JobOriginal":
        """The original of a job's shadow."""
        return JobOriginal(job, self._jobs, self._transcripts)

    async def of_shadow(self, shadow: TranscriptionRecord) -> Original | None:
        """The original of a shadow. None where it is deleted, or is compared already."""
        key = subjects.record(shadow.tenant, shadow.shadow_of)
        if shadow.shadow_of_session:
            session = await self._sessions.get(key)
            found = session is not None and session.value.HasField("shadow")
            return SessionOriginal(session.value, self._bus, self._sessions) if session and found else None
        job = await self._jobs.get(key)
        return self.of_job(job.value) if job is not None and wants_shadow(job.value) else None


class JobOriginal:
    """A job."""

    def __init__(self, job: TranscriptionRecord, records: JobRecords, transcripts: TranscriptReader) -> None:
        self._job = job
        self._records = records
        self._transcripts = transcripts
        self.labels = Labels(job.policy, job.config.engine, job.config.model)

    async def words(self) -> list[str]:
        """The words of its transcript."""
        return words_of([segment async for segment in self._transcripts.all_segments(self._job)])

    async def mark_compared(self) -> bool:
        """Remove the shadow from its record; see `Original.mark_compared`."""
        key = subjects.record(self._job.tenant, self._job.transcription_id)
        return await _marked(lambda: self._records.mutate(key, _clear_shadow))


class SessionOriginal:
    """A live session."""

    def __init__(self, session: SessionRecord, bus: Bus, records: RecordStore[SessionRecord]) -> None:
        self._session = session
        self._bus = bus
        self._records = records
        recognition = session.recognition
        self.labels = Labels(session.policy, recognition.engine, recognition.model)

    async def words(self) -> list[str]:
        """The words of its finals."""
        finals, has_events = [], False
        subject = subjects.live_events(self._session.tenant, self._session.session_id)
        async with OrderedConsumer(self._bus, topology.LIVE_EVENTS, subject) as tail:
            async for entry in tail:
                if isinstance(entry, StreamState):
                    break
                has_events = True
                event = LiveEvent.FromString(entry.data)
                if event.HasField("final"):
                    finals.append(event.final)
        if not has_events:
            raise PartMissing(f"the event log of session {self._session.session_id} has expired")
        return words_of(finals)

    async def mark_compared(self) -> bool:
        """Remove the shadow from its record; see `Original.mark_compared`."""
        key = subjects.record(self._session.tenant, self._session.session_id)
        return await _marked(lambda: self._records.mutate(key, _clear_shadow))


def _clear_shadow(record: TranscriptionRecord | SessionRecord) -> None:
    if not record.HasField("shadow"):
        raise _Compared
    record.ClearField("shadow")


async def _marked(change: Callable[[], Awaitable[object]]) -> bool:
    try:
        await change()
    except (_Compared, KeyError):
        return False
    return True
