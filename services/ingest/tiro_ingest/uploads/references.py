"""The references of jobs to uploads: a shared recording is removed with the last job that needs it.

A job that names an upload writes a reference, a separate record, before it reads the upload. A job whose recording came
with it, or is fetched for it, has an upload with the job's id and needs no reference.
"""

from collections.abc import AsyncIterator

from tiro.events.v1.transcription_pb2 import TranscriptionRecord, UploadUse
from tiro_core.clock import now, seconds_until
from tiro_core.jobs.records import JobRecords
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Conflict
from tiro_core.messaging.records import RecordStore
from tiro_core.messaging.subjects import record as record_key
from tiro_core.messaging.subjects import upload_use

STRAY_SECONDS = 3600.0
"""The age of a reference without a job at which it is removed. A reference is written just before its job: an older one
was left by a service that died between the two."""


class UploadReferences:
    """The references to all uploads."""

    def __init__(self, bus: Bus) -> None:
        self._references = RecordStore(bus, topology.UPLOAD_REFERENCES_BUCKET, UploadUse)
        self._jobs = JobRecords(bus)

    async def add(self, tenant: str, upload_id: str, job_id: str) -> None:
        """Write that a job needs an upload. Call it before the job is written, and before the upload is read."""
        try:
            await self._references.create(upload_use(tenant, upload_id, job_id), UploadUse(create_time=now()))
        except Conflict:  # an earlier request has written it
            return

    async def release(self, tenant: str, upload_id: str, job_id: str) -> None:
        """Remove the reference of a job that no longer needs an upload."""
        if upload_id != job_id:
            await self._references.purge(upload_use(tenant, upload_id, job_id))

    async def is_needed(self, tenant: str, upload_id: str) -> bool:
        """Whether an upload is needed by any job, or by one that is about to be written."""
        own = await self._jobs.get(record_key(tenant, upload_id))
        if own is not None and needs_upload(own.value):
            return True
        for job_id in await self._jobs_with_references(tenant, upload_id):
            if not await self._is_stray(tenant, upload_id, job_id):
                return True
        return False

    async def jobs(self, tenant: str, upload_id: str) -> AsyncIterator[TranscriptionRecord]:
        """The jobs that need an upload and are written already; without shadows, which callers do not see."""
        async for record in self._all_jobs(tenant, upload_id):
            if not record.shadow_of:
                yield record

    async def shadows(self, tenant: str, upload_id: str) -> AsyncIterator[TranscriptionRecord]:
        """The shadows that need an upload."""
        async for record in self._all_jobs(tenant, upload_id):
            if record.shadow_of:
                yield record

    async def remove_stray(self, tenant: str, upload_id: str, job_id: str, revision: int) -> bool:
        """Remove a reference whose job does not exist, or does not need the upload. Returns whether it did.

        Args:
            tenant: The tenant of the upload.
            upload_id: The id of the upload.
            job_id: The job of the reference.
            revision: The revision of the reference: one that was written since stays.
        """
        stored = await self._jobs.get(record_key(tenant, job_id))
        if stored is not None and needs_upload(stored.value):
            return False
        await self._references.purge(upload_use(tenant, upload_id, job_id), revision=revision)
        return True

    async def _all_jobs(self, tenant: str, upload_id: str) -> AsyncIterator[TranscriptionRecord]:
        for job_id in [upload_id, *await self._jobs_with_references(tenant, upload_id)]:
            stored = await self._jobs.get(record_key(tenant, job_id))
            if stored is not None and needs_upload(stored.value):
                yield stored.value

    async def _jobs_with_references(self, tenant: str, upload_id: str) -> list[str]:
        return [key.rpartition(".")[2] for key in await self._references.keys(f"{tenant}.{upload_id}")]

    async def _is_stray(self, tenant: str, upload_id: str, job_id: str) -> bool:
        reference = await self._references.get(upload_use(tenant, upload_id, job_id))
        if reference is None:
            return True
        if seconds_until(reference.value.create_time) > -STRAY_SECONDS:
            return False
        return await self.remove_stray(tenant, upload_id, job_id, reference.revision)


def needs_upload(job: TranscriptionRecord) -> bool:
    """Whether a job still needs its recording."""
    is_expired = job.HasField("audio_expire_time") and seconds_until(job.audio_expire_time) <= 0
    return not (job.removing or job.audio_deleted or is_expired)
