"""The records of shadows: jobs of another engine on the audio of a job or live session, for comparison."""

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.clock import duration, now
from tiro_core.jobs.states import TERMINAL
from tiro_core.jobs.transitions import accept

SESSION_SHADOW_TTL_SECONDS = 24 * 3600.0
"""How long the shadow of a session is kept when it is not compared: as long as the session's events."""
_PREFIX = "shadow-"


def shadow_id(of: str) -> str:
    """The id of the shadow of a job or session. Callers cannot name it: it is no UUID."""
    return _PREFIX + of


def wants_shadow(record: TranscriptionRecord) -> bool:
    """Whether a job has succeeded and its shadow is still to be compared."""
    return record.HasField("shadow") and record.state == Transcription.STATE_SUCCEEDED and not record.removing


def is_shadow_to_compare(record: TranscriptionRecord) -> bool:
    """Whether a record is a shadow that is over."""
    return bool(record.shadow_of) and record.state in TERMINAL and not record.removing


def shadow_of_job(job: TranscriptionRecord) -> TranscriptionRecord:
    """The record of the shadow of a job that has succeeded."""
    record = TranscriptionRecord(
        tenant=job.tenant,
        transcription_id=shadow_id(job.transcription_id),
        shadow_of=job.transcription_id,
        config=job.config,
        options=job.options if job.HasField("options") else None,
        upload_id=job.upload_id,
        audio_duration=job.audio_duration,
        allowed_clouds=job.allowed_clouds,
        ttl=job.ttl,
        audio_ttl=job.audio_ttl,
    )
    record.config.engine, record.config.model = job.shadow.engine, job.shadow.model
    return _waiting(record)


def shadow_of_session(session: SessionRecord, upload_id: str, seconds: float) -> TranscriptionRecord:
    """The record of the shadow of a live session whose audio has become an upload.

    Args:
        session: The session.
        upload_id: The upload with its audio. It is removed with the shadow, unless the caller has asked to keep it.
        seconds: The length of the audio.
    """
    ttl = duration(SESSION_SHADOW_TTL_SECONDS)
    record = TranscriptionRecord(
        tenant=session.tenant,
        transcription_id=shadow_id(session.session_id),
        shadow_of=session.session_id,
        shadow_of_session=True,
        config=session.recognition,
        upload_id=upload_id,
        keeps_upload=session.keep_recording,
        audio_duration=duration(seconds),
        allowed_clouds=session.allowed_clouds,
        ttl=ttl,
        audio_ttl=ttl,
    )
    record.config.engine, record.config.model = session.shadow.engine, session.shadow.model
    return _waiting(record)


def _waiting(record: TranscriptionRecord) -> TranscriptionRecord:
    """Queue a shadow in the last lane: no caller waits for it."""
    record.lane = Transcription.LANE_DEFERRED
    record.create_time.CopyFrom(now())
    accept(record, has_audio=True)
    return record
