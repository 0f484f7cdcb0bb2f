"""The events of a job's history."""

from dataclasses import dataclass

from tiro.transcription.v1 import transcription_service_pb2
from tiro_client.jobs.job import Job
from tiro_client.timing import seconds_of
from tiro_client.transcript import Segment


@dataclass(frozen=True, slots=True)
class JobStateChanged:
    """The job entered another state."""

    sequence: int
    """The number of the event in the job's history: 1, 2, 3, without gaps."""
    attempt: int
    """The attempt that it belongs to. A new attempt invalidates the segments of the one before."""
    job: Job
    """The job in its new state."""


@dataclass(frozen=True, slots=True)
class JobProgress:
    """More of the job is transcribed, or more of its recording is fetched."""

    sequence: int
    attempt: int
    transcribed_seconds: float
    audio_seconds: float
    """The length of the recording. 0 while it is fetched."""
    fetched_bytes: int = 0
    """While the recording is fetched: the bytes so far."""


@dataclass(frozen=True, slots=True)
class JobSegments:
    """Segments were transcribed. They are part of the transcript once the job succeeds."""

    sequence: int
    attempt: int
    segments: tuple[Segment, ...]


JobEvent = JobStateChanged | JobProgress | JobSegments


def event_from_proto(event: transcription_service_pb2.WatchTranscriptionResponse) -> JobEvent | None:
    """The event of a message. None for a kind of a newer service that this client does not know."""
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
