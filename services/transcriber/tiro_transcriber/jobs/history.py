"""The history of a job as its owner writes it: states, progress, segments."""

from collections.abc import Sequence

from tiro.events.v1.transcription_pb2 import TranscriptionEvent, TranscriptionRecord, TranscriptPage
from tiro.speech.v1.transcript_pb2 import Segment
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.bus import subjects, topology
from tiro_core.bus.connection import Bus
from tiro_core.bus.line import EventLine, Fenced
from tiro_core.clock import duration

TERMINAL = frozenset({Transcription.STATE_SUCCEEDED, Transcription.STATE_FAILED})


TAKE_OVER_TRIES_MAX = 5


class JobHistory:
    """The writing end of a job's event line."""

    def __init__(self, bus: Bus, tenant: str, job: str) -> None:
        self._line = EventLine(
            bus,
            topology.JOB_EVENTS,
            subjects.job_events(tenant, job),
            TranscriptionEvent,
            lambda event: event.sequence,
        )
        self._attempt = 0

    async def state_changed(self, record: TranscriptionRecord) -> None:
        """Tell a new state."""
        self._attempt = len(record.attempts)
        await self._line.append(
            lambda sequence: TranscriptionEvent(sequence=sequence, attempt=self._attempt, state_changed=record)
        )

    async def take_over(self, record: TranscriptionRecord) -> None:
        """Write the first event of a new owner. What the owner before slips in meanwhile is before it."""
        for _ in range(TAKE_OVER_TRIES_MAX):
            await self.resume()
            try:
                return await self.state_changed(record)
            except Fenced:
                continue
        raise Fenced(record.transcription_id)

    async def progress(self, seconds: float) -> None:
        """Tell how much is transcribed."""
        await self._line.append(
            lambda sequence: TranscriptionEvent(
                sequence=sequence, attempt=self._attempt, transcribed_duration=duration(seconds)
            )
        )

    async def segments(self, segments: Sequence[Segment]) -> None:
        """Tell segments as they are decoded."""
        await self._line.append(
            lambda sequence: TranscriptionEvent(
                sequence=sequence, attempt=self._attempt, segments=TranscriptPage(segments=segments)
            )
        )

    async def resume(self) -> TranscriptionEvent | None:
        """Take up where the line ends, and return its last event."""
        return await self._line.resume()

    async def end_with(self, record: TranscriptionRecord) -> None:
        """Make sure that the history of a job that is over says so: its owner may have died before it could."""
        last = await self.resume()
        if last is None or last.state_changed.state not in TERMINAL:
            await self.state_changed(record)
