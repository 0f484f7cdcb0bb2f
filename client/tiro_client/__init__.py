"""Python client library and the `tiro` command line."""

from tiro_client.client import AsyncClient
from tiro_client.errors import (
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    FieldViolation,
    InternalError,
    InvalidRequest,
    JobFailed,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    StreamClosed,
    TiroError,
    Unauthenticated,
    Unavailable,
)
from tiro_client.job_models import Job, JobEvent, JobProgress, JobSegments, JobState, JobStateChanged
from tiro_client.live import LiveStream
from tiro_client.live_config import AudioEncoding, LiveConfig
from tiro_client.live_events import (
    AudioAck,
    Final,
    LiveEvent,
    Partial,
    SessionEnded,
    SessionStarted,
    SpeechEnded,
    SpeechStarted,
    UtteranceEnd,
    WorkerChanged,
)
from tiro_client.transcript import Segment, Transcript, TranscriptInfo, TranscriptWarning, Word
from tiro_client.uploads import Upload

__all__ = [
    "AlreadyExists",
    "AsyncClient",
    "AudioAck",
    "AudioEncoding",
    "DeadlineExceeded",
    "FailedPrecondition",
    "FieldViolation",
    "Final",
    "InternalError",
    "InvalidRequest",
    "Job",
    "JobEvent",
    "JobFailed",
    "JobProgress",
    "JobSegments",
    "JobState",
    "JobStateChanged",
    "LiveConfig",
    "LiveEvent",
    "LiveStream",
    "NotFound",
    "Partial",
    "PermissionDenied",
    "ResourceExhausted",
    "Segment",
    "SessionEnded",
    "SessionStarted",
    "SpeechEnded",
    "SpeechStarted",
    "StreamClosed",
    "TiroError",
    "Transcript",
    "TranscriptInfo",
    "TranscriptWarning",
    "Unauthenticated",
    "Unavailable",
    "Upload",
    "UtteranceEnd",
    "Word",
    "WorkerChanged",
]
