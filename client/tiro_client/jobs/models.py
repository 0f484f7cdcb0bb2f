"""Jobs and what happens to them, as this library gives them. Times are seconds as floats, moments in UTC."""

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from tiro.transcription.v1 import transcription_pb2, transcription_service_pb2
from tiro_client.calls.error_details import from_status
from tiro_client.errors import TiroError
from tiro_client.timing import moment_of, seconds_of
from tiro_client.transcript import Segment, TranscriptInfo


class JobState(enum.StrEnum):
    """Where a job is in its life."""

    UNKNOWN = "unknown"
    """A state that a later service knows and this client does not."""
    FETCHING = "fetching"
    """The service fetches the recording."""
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether it is for good."""
        return self in {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}


_STATES = {
    transcription_pb2.Transcription.STATE_FETCHING: JobState.FETCHING,
    transcription_pb2.Transcription.STATE_QUEUED: JobState.QUEUED,
    transcription_pb2.Transcription.STATE_RUNNING: JobState.RUNNING,
    transcription_pb2.Transcription.STATE_SUCCEEDED: JobState.SUCCEEDED,
    transcription_pb2.Transcription.STATE_FAILED: JobState.FAILED,
    transcription_pb2.Transcription.STATE_CANCELLED: JobState.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Job:
    """One recording to be transcribed."""

    name: str
    """`transcriptions/{id}`."""
    display_name: str
    state: JobState
    engine: str
    model: str
    language: str
    """The language asked for; empty when it is to be detected."""
    upload: str
    """`uploads/{id}`."""
    waiting_for: str
    """While QUEUED: what it waits for, when that is more than its turn. For people."""
    attempt: int
    """How often it was begun. More than 1 after a worker was lost."""
    audio_seconds: float
    transcribed_seconds: float
    fetched_bytes: int
    """How much of its recording is fetched, where it was given a URL."""
    error: TiroError | None
    """Why it failed. Once FAILED."""
    transcript: TranscriptInfo | None
    """What is known of the transcript besides its segments. Once SUCCEEDED."""
    create_time: datetime | None
    start_time: datetime | None
    end_time: datetime | None
    expire_time: datetime | None
    """When it goes with all that belongs to it. Once it is over."""
    audio_expire_time: datetime | None
    """When it lets go of its recording. Once it is over."""
    audio_deleted: bool
    """It has let go of its recording, so that it cannot be retried."""
    retry_of: str
    """The job of which it is a retry: `transcriptions/{id}`."""

    @classmethod
    def from_proto(cls, job: transcription_pb2.Transcription) -> Self:
        """The job of a message."""
        return cls(
            name=job.name,
            display_name=job.display_name,
            state=_STATES.get(job.state, JobState.UNKNOWN),
            engine=job.config.engine,
            model=job.config.model,
            language=job.config.language_code,
            upload=job.upload,
            waiting_for=job.waiting_for,
            attempt=job.attempt,
            audio_seconds=seconds_of(job.audio_duration),
            transcribed_seconds=seconds_of(job.transcribed_duration),
            fetched_bytes=job.fetched_size,
            error=from_status(job.error) if job.HasField("error") else None,
            transcript=TranscriptInfo.from_proto(job.transcript) if job.HasField("transcript") else None,
            create_time=moment_of(job, "create_time"),
            start_time=moment_of(job, "start_time"),
            end_time=moment_of(job, "end_time"),
            expire_time=moment_of(job, "expire_time"),
            audio_expire_time=moment_of(job, "audio_expire_time"),
            audio_deleted=job.audio_deleted,
            retry_of=job.retry_of,
        )


@dataclass(frozen=True, slots=True)
class JobStateChanged:
    """A job went to another state."""

    sequence: int
    """The number of this event in the job's history: 1, 2, 3, without gaps."""
    attempt: int
    """The attempt it belongs to. When another attempt begins, the segments of the one before are void."""
    job: Job
    """The job as it stands since."""


@dataclass(frozen=True, slots=True)
class JobProgress:
    """More of a job is transcribed, or of its recording fetched."""

    sequence: int
    attempt: int
    transcribed_seconds: float
    audio_seconds: float
    """0 while it is fetched."""
    fetched_bytes: int = 0
    """While it is fetched."""


@dataclass(frozen=True, slots=True)
class JobSegments:
    """Segments were decoded. They belong to the transcript once the job succeeds."""

    sequence: int
    attempt: int
    segments: tuple[Segment, ...]


JobEvent = JobStateChanged | JobProgress | JobSegments


def event_from_proto(event: transcription_service_pb2.WatchTranscriptionResponse) -> JobEvent | None:
    """The event of a message. None for a kind that a later service knows and this client does not."""
    match event.WhichOneof("event"):
        case "state_changed":
            return JobStateChanged(event.sequence, event.attempt, Job.from_proto(event.state_changed))
        case "progress":
            transcribed = seconds_of(event.progress.transcribed_duration)
            total = seconds_of(event.progress.audio_duration)
            return JobProgress(event.sequence, event.attempt, transcribed, total, event.progress.fetched_size)
        case "segments":
            segments = tuple(Segment.from_proto(segment) for segment in event.segments.segments)
            return JobSegments(event.sequence, event.attempt, segments)
        case _:
            return None
