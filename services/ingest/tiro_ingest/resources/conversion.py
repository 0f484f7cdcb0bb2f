"""Converting records to the messages that callers see."""

from yarl import URL

from tiro.events.v1.transcription_pb2 import TranscriptionEvent, TranscriptionRecord
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import WatchTranscriptionResponse
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_ingest.outgoing.client import without_secrets
from tiro_ingest.resources.names import transcription_name, upload_name


def public_upload(record: UploadRecord) -> Upload:
    """An upload as its tenant sees it."""
    upload = Upload(
        name=upload_name(record.upload_id),
        display_name=record.display_name,
        size_bytes=record.size_bytes,
        committed_size=record.committed_size,
        state=record.state,
        sha256=record.sha256,
        create_time=record.create_time,
    )
    for optional in ("audio", "error", "expire_time"):
        if record.HasField(optional):
            getattr(upload, optional).CopyFrom(getattr(record, optional))
    return upload


def public_transcription(record: TranscriptionRecord, *, waiting_for: str = "") -> Transcription:
    """A job as its tenant sees it."""
    job = Transcription(
        name=transcription_name(record.transcription_id),
        display_name=record.display_name,
        config=record.config,
        upload=upload_name(record.upload_id),
        state=record.state,
        waiting_for=waiting_for,
        attempt=len(record.attempts),
        attempts=record.attempts,
        create_time=record.create_time,
        lane=record.lane,
        retry_of=transcription_name(record.retry_of) if record.retry_of else "",
        audio_deleted=record.audio_deleted,
    )
    if record.uri:
        job.uri = without_secrets(URL(record.uri))
    if record.attempts:
        job.start_time.CopyFrom(record.attempts[-1].start_time)
    for optional in (
        "audio_duration",
        "transcribed_duration",
        "error",
        "transcript",
        "end_time",
        "ttl",
        "audio_ttl",
        "options",
        "callback",
        "expire_time",
        "audio_expire_time",
    ):
        if record.HasField(optional):
            getattr(job, optional).CopyFrom(getattr(record, optional))
    return job


def public_event(event: TranscriptionEvent, job: TranscriptionRecord) -> WatchTranscriptionResponse:
    """An event of a job's history as its watchers see it.

    Args:
        event: The event as the job's owner wrote it.
        job: The job, for values that never change and that events do not have.
    """
    response = WatchTranscriptionResponse(sequence=event.sequence, attempt=event.attempt)
    match event.WhichOneof("event"):
        case "state_changed":
            response.state_changed.CopyFrom(public_transcription(event.state_changed))
        case "transcribed_duration":
            response.progress.transcribed_duration.CopyFrom(event.transcribed_duration)
            response.progress.audio_duration.CopyFrom(job.audio_duration)
        case "fetched_size":
            response.progress.fetched_size = event.fetched_size
        case "segments":
            response.segments.segments.extend(event.segments.segments)
    return response
