"""The records that need blobs: each blob has one from before its first part is stored until the blob is deleted."""

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_core.blobs.keys import BlobKind, BlobName
from tiro_core.jobs.records import JobRecords
from tiro_core.jobs.states import TERMINAL
from tiro_core.logs.logger import get_logger
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Unreadable
from tiro_core.messaging.records import RecordStore, Stored
from tiro_core.messaging.subjects import record as record_key

log = get_logger()


class BlobOwners:
    """Finds the records that blobs belong to.

    | blob | is needed while |
    |---|---|
    | the audio of an upload | the upload exists, and has not failed |
    | the recording of a live session | the session is not over, or the upload that it became exists |
    | the transcript of a job | the job exists |
    | audio and transcripts of a part | the part exists, or its job is open: the audio is stored before the record |
    """

    def __init__(self, bus: Bus, jobs: JobRecords) -> None:
        self._jobs = jobs
        self.uploads = RecordStore(bus, topology.UPLOADS_BUCKET, UploadRecord)
        self._sessions = RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord)

    async def need(self, blob: BlobName) -> bool:
        """Whether a blob has a record that needs it. A record that cannot be read may: an operator may restore it."""
        try:
            return await self._has_owner(blob)
        except Unreadable as error:
            log.warning("blob_kept", tenant=blob.tenant, owner=blob.owner_id, reason=str(error))
            return True

    async def _has_owner(self, blob: BlobName) -> bool:
        if blob.part:
            return await self._is_part_needed(blob)
        if blob.kind is BlobKind.TRANSCRIPT:
            return await self._job(blob.tenant, blob.resource) is not None
        upload = await self.uploads.get(record_key(blob.tenant, blob.resource))
        if upload is not None:
            return upload.value.state != Upload.STATE_FAILED
        session = await self._sessions.get(record_key(blob.tenant, blob.resource))
        return session is not None and session.value.state != SessionRecord.STATE_ENDED

    async def _is_part_needed(self, blob: BlobName) -> bool:
        if await self._job(blob.tenant, blob.owner_id) is not None:
            return True
        job = await self._job(blob.tenant, blob.resource)
        return job is not None and job.value.state not in TERMINAL

    async def _job(self, tenant: str, job: str) -> Stored[TranscriptionRecord] | None:
        return await self._jobs.get(record_key(tenant, job))
