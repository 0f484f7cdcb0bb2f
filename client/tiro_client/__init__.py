"""Python client library and the `tiro` command line."""

from tiro_client.client import AsyncClient
from tiro_client.engines.models import Capability, Engine, EngineModel, Price
from tiro_client.errors import (
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    FieldViolation,
    InternalError,
    InvalidRequest,
    JobCancelled,
    JobFailed,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    StreamClosed,
    TiroError,
    Unauthenticated,
    Unavailable,
)
from tiro_client.jobs.job import Job, JobState
from tiro_client.jobs.job_events import JobEvent, JobProgress, JobSegments, JobStateChanged
from tiro_client.jobs.job_options import JobOptions, Lane
from tiro_client.jobs.subtitle_options import SubtitleOptions
from tiro_client.live.config import AudioEncoding, LiveConfig
from tiro_client.live.events import (
    AudioAck,
    ConfigRefused,
    ConfigUpdated,
    EngineChanged,
    Final,
    Lag,
    LiveEvent,
    Partial,
    SessionEnded,
    SessionResumed,
    SessionStarted,
    SpeechEnded,
    SpeechStarted,
    UtteranceEnd,
    WorkerChanged,
)
from tiro_client.live.stream import LiveStream
from tiro_client.recognition import Recognition, RecognitionOptions
from tiro_client.sync.client import Client
from tiro_client.sync.live_stream import SyncLiveStream
from tiro_client.transcript import Segment, Transcript, TranscriptInfo, TranscriptWarning, Word
from tiro_client.uploads.upload import AudioTrack, Upload

__all__ = [
    "AlreadyExists",
    "AsyncClient",
    "AudioAck",
    "AudioEncoding",
    "AudioTrack",
    "Capability",
    "Client",
    "ConfigRefused",
    "ConfigUpdated",
    "DeadlineExceeded",
    "Engine",
    "EngineChanged",
    "EngineModel",
    "FailedPrecondition",
    "FieldViolation",
    "Final",
    "InternalError",
    "InvalidRequest",
    "Job",
    "JobCancelled",
    "JobEvent",
    "JobFailed",
    "JobOptions",
    "JobProgress",
    "JobSegments",
    "JobState",
    "JobStateChanged",
    "Lag",
    "Lane",
    "LiveConfig",
    "LiveEvent",
    "LiveStream",
    "NotFound",
    "Partial",
    "PermissionDenied",
    "Price",
    "Recognition",
    "RecognitionOptions",
    "ResourceExhausted",
    "Segment",
    "SessionEnded",
    "SessionResumed",
    "SessionStarted",
    "SpeechEnded",
    "SpeechStarted",
    "StreamClosed",
    "SubtitleOptions",
    "SyncLiveStream",
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
