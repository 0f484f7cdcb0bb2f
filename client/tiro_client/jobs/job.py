"""A job. Durations are seconds as floats, timestamps are in UTC."""

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from tiro.transcription.v1 import transcription_pb2
from tiro_client.calls.error_details import from_status
from tiro_client.errors import TiroError
from tiro_client.timing import datetime_of, seconds_of
from tiro_client.transcript import TranscriptInfo


class JobState(enum.StrEnum):
    """The state of a job."""

    UNKNOWN = "unknown"
    """A state of a newer service that this client does not know."""
    FETCHING = "fetching"
    """The service is fetching the recording."""
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether the state is final."""
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
    """A recording that is transcribed in the background."""

    name: str
    """`transcriptions/{id}`."""
    display_name: str
    state: JobState
    engine: str
    model: str
    language: str
    """BCP 47 tag of the requested language. Empty when it is detected."""
    upload: str
    """`uploads/{id}`."""
    waiting_for: str
    """While QUEUED: what the job waits for besides a free worker, such as a model that no worker has. For people."""
    attempt: int
    """The number of attempts so far. More than 1 after a worker was lost."""
    audio_seconds: float
    transcribed_seconds: float
    """Audio that is transcribed so far."""
    fetched_bytes: int
    """Bytes of the recording that are fetched so far, for a job that was given a URI."""
    error: TiroError | None
    """The cause of the failure. Once FAILED."""
    transcript: TranscriptInfo | None
    """The metadata of the transcript. Once SUCCEEDED."""
    create_time: datetime | None
    start_time: datetime | None
    end_time: datetime | None
    expire_time: datetime | None
    """When the job is deleted with its transcript and history. Once it is terminal."""
    audio_expire_time: datetime | None
    """When its recording is deleted, unless another job needs it. Once it is terminal."""
    audio_deleted: bool
    """Whether its recording is deleted, so that the job cannot be retried."""
    retry_of: str
    """The job that it retries: `transcriptions/{id}`. Empty for a job that is no retry."""

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
            create_time=datetime_of(job, "create_time"),
            start_time=datetime_of(job, "start_time"),
            end_time=datetime_of(job, "end_time"),
            expire_time=datetime_of(job, "expire_time"),
            audio_expire_time=datetime_of(job, "audio_expire_time"),
            audio_deleted=job.audio_deleted,
            retry_of=job.retry_of,
        )
