"""Starting the shadow of a session that is over: another engine transcribes its audio, as a job of lowest priority."""

from contextlib import suppress

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.transcription_pb2 import TranscriptionRecord, UploadUse
from tiro_core.clock import now
from tiro_core.jobs.event_log import JobEventLog
from tiro_core.jobs.shadows import shadow_of_session
from tiro_core.logs.logger import get_logger
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Conflict
from tiro_core.messaging.records import RecordStore

log = get_logger()


async def start_shadow(bus: Bus, session: SessionRecord, upload_id: str, samples: int) -> None:
    """Create the shadow of a session, unless it exists. Ingest enqueues it, compares it and removes it.

    Args:
        bus: The connection.
        session: The session.
        upload_id: The upload of its audio.
        samples: The number of its samples, at the session's rate.
    """
    shadow = shadow_of_session(session, upload_id, samples / session.sample_rate_hertz)
    tenant, job = shadow.tenant, shadow.transcription_id
    with suppress(Conflict):  # an owner before has created it
        uses = RecordStore(bus, topology.UPLOAD_REFERENCES_BUCKET, UploadUse)
        await uses.create(subjects.upload_use(tenant, upload_id, job), UploadUse(create_time=now()))
    with suppress(Conflict):
        await RecordStore(bus, topology.JOBS_BUCKET, TranscriptionRecord).create(subjects.record(tenant, job), shadow)
    await JobEventLog(bus, tenant, job).begin(shadow)
    log.info("shadow_begun", of=session.session_id, engine=shadow.config.engine, model=shadow.config.model)
