"""The writing end of a job's event log: states, progress, segments. Its writer is the job's owner."""

from collections.abc import Sequence
from contextlib import suppress

from tiro.events.v1.transcription_pb2 import TranscriptionEvent, TranscriptionRecord, TranscriptPage
from tiro.speech.v1.transcript_pb2 import Segment
from tiro_core.clock import duration
from tiro_core.jobs.states import TERMINAL
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.event_log import EventLog, Fenced

TAKE_OVER_TRIES_MAX = 5
"""How often a take-over is tried again because the owner before has written once more."""


class JobEventLog:
    """The writing end of a job's event log.

    Every method that appends raises `Fenced` when another writer has written since, `StreamFull`, or `BusUnavailable`.
    """

    def __init__(self, bus: Bus, tenant: str, job: str) -> None:
        self._log = EventLog(
            bus,
            topology.JOB_EVENTS,
            subjects.job_events(tenant, job),
            TranscriptionEvent,
            lambda event: event.sequence,
        )
        self._attempt = 0
        self._is_positioned = False

    async def append_state(self, record: TranscriptionRecord) -> None:
        """Append a change of state."""
        self._attempt = len(record.attempts)
        await self._log.append(
            lambda sequence: TranscriptionEvent(sequence=sequence, attempt=self._attempt, state_changed=record)
        )

    async def append_progress(self, seconds: float) -> None:
        """Append how many seconds are transcribed."""
        await self._log.append(
            lambda sequence: TranscriptionEvent(
                sequence=sequence, attempt=self._attempt, transcribed_duration=duration(seconds)
            )
        )

    async def append_fetched_size(self, size: int) -> None:
        """Append how many bytes of the recording are fetched."""
        await self._log.append(lambda sequence: TranscriptionEvent(sequence=sequence, fetched_size=size))

    async def append_segments(self, segments: Sequence[Segment]) -> None:
        """Append segments as they are decoded."""
        await self._log.append(
            lambda sequence: TranscriptionEvent(
                sequence=sequence, attempt=self._attempt, segments=TranscriptPage(segments=segments)
            )
        )

    async def begin(self, record: TranscriptionRecord) -> None:
        """Append the first event of a job, unless the log has one."""
        with suppress(Fenced):  # the same request came twice, or a worker has begun
            await self.append_state(record)

    async def take_over(self, record: TranscriptionRecord) -> None:
        """Append the first event of a new owner. Events that the owner before writes meanwhile come before it."""
        for _ in range(TAKE_OVER_TRIES_MAX):
            await self.resume()
            try:
                return await self.append_state(record)
            except Fenced:
                continue
        raise Fenced(record.transcription_id)

    async def resume(self) -> TranscriptionEvent | None:
        """Continue where the log ends, and return its last event."""
        self._is_positioned = True
        return await self._log.resume()

    async def hold_position(self) -> None:
        """Make sure that the end of the log is known: once another owner has appended, writes of this one are refused.

        A worker that hands its job over calls this before it writes the record: after that the next owner may begin.
        """
        if not self._is_positioned:
            await self.resume()

    async def ensure_terminal(self, record: TranscriptionRecord) -> None:
        """Make sure that the log of a job that is over ends with its terminal event, also when another writer writes.

        Raises:
            Fenced: Another writer wrote in between every time.
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
