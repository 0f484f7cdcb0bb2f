"""The writing end of a job's history: states, progress, segments. Its writer is whoever owns the job."""

from collections.abc import Sequence

from tiro.events.v1.transcription_pb2 import TranscriptionEvent, TranscriptionRecord, TranscriptPage
from tiro.speech.v1.transcript_pb2 import Segment
from tiro_core.clock import duration
from tiro_core.jobs.states import TERMINAL
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.event_log import EventLog, Fenced

TAKE_OVER_TRIES_MAX = 5
"""How often an owner before may slip something in while another one takes over."""


class JobEventLog:
    """The writing end of a job's event line."""

    def __init__(self, bus: Bus, tenant: str, job: str) -> None:
        self._line = EventLog(
            bus,
            topology.JOB_EVENTS,
            subjects.job_events(tenant, job),
            TranscriptionEvent,
            lambda event: event.sequence,
        )
        self._attempt = 0

    async def append_state(self, record: TranscriptionRecord) -> None:
        """Tell a new state."""
        self._attempt = len(record.attempts)
        await self._line.append(
            lambda sequence: TranscriptionEvent(sequence=sequence, attempt=self._attempt, state_changed=record)
        )

    async def begin(self, record: TranscriptionRecord) -> None:
        """Write the first event of a job, unless somebody has done so."""
        if await self.resume() is not None:
            return
        try:
            await self.append_state(record)
        except Fenced:
            return  # a worker was faster, or the same request came twice

    async def take_over(self, record: TranscriptionRecord) -> None:
        """Write the first event of a new owner. What the owner before slips in meanwhile is before it."""
        for _ in range(TAKE_OVER_TRIES_MAX):
            await self.resume()
            try:
                return await self.append_state(record)
            except Fenced:
                continue
        raise Fenced(record.transcription_id)

    async def append_progress(self, seconds: float) -> None:
        """Tell how much is transcribed."""
        await self._line.append(
            lambda sequence: TranscriptionEvent(
                sequence=sequence, attempt=self._attempt, transcribed_duration=duration(seconds)
            )
        )

    async def append_fetched_size(self, size: int) -> None:
        """Tell how many bytes of the recording are fetched."""
        await self._line.append(lambda sequence: TranscriptionEvent(sequence=sequence, fetched_size=size))

    async def append_segments(self, segments: Sequence[Segment]) -> None:
        """Tell segments as they are decoded."""
        await self._line.append(
            lambda sequence: TranscriptionEvent(
                sequence=sequence, attempt=self._attempt, segments=TranscriptPage(segments=segments)
            )
        )

    async def resume(self) -> TranscriptionEvent | None:
        """Take up where the line ends, and return its last event."""
        return await self._line.resume()

    async def ensure_terminal(self, record: TranscriptionRecord) -> None:
        """Make sure that the history of a job that is over says so, whoever else still writes to it.

        Raises:
            Fenced: Somebody else wrote in between every time.
        """
        for _ in range(TAKE_OVER_TRIES_MAX):
            last = await self.resume()
            if last is not None and last.state_changed.state in TERMINAL:
                return None
            try:
                return await self.append_state(record)
            except Fenced:
                continue
        raise Fenced(record.transcription_id)
