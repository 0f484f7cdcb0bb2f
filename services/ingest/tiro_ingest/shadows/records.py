"""The records of shadows."""

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.clock import now
from tiro_core.jobs.states import TERMINAL, enter

_PREFIX = "shadow-"


def shadow_id(job_id: str) -> str:
    """The id of a job's shadow. No caller can name it: it is no UUID."""
    return _PREFIX + job_id


def wants_shadow(record: TranscriptionRecord) -> bool:
    """Whether a job has succeeded and is still to be compared."""
    return record.HasField("shadow") and record.state == Transcription.STATE_SUCCEEDED and not record.removing


def is_shadow_to_compare(record: TranscriptionRecord) -> bool:
    """Whether this is a shadow that is over."""
    return bool(record.shadow_of) and record.state in TERMINAL and not record.removing


def shadow_record(job: TranscriptionRecord) -> TranscriptionRecord:
    """The record of the shadow of a job that has succeeded. It waits behind all jobs that somebody waits for."""
    record = TranscriptionRecord(
        tenant=job.tenant,
        transcription_id=shadow_id(job.transcription_id),
        shadow_of=job.transcription_id,
        config=job.config,
        options=job.options if job.HasField("options") else None,
        lane=Transcription.LANE_DEFERRED,
        upload_id=job.upload_id,
        audio_duration=job.audio_duration,
        cloud_allowed=job.cloud_allowed,
        ttl=job.ttl,
        audio_ttl=job.audio_ttl,
        create_time=now(),
    )
    record.config.engine, record.config.model = job.shadow.engine, job.shadow.model
    enter(record, Transcription.STATE_QUEUED)
    return record
