"""Which jobs need an upload: a shared recording goes with the last of them.

A job whose recording came with it, or was fetched for it, has an upload with its own id: that is a use as well, and
needs no record of its own.
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
"""A use without a job is written just before the job. One that is older was left by a service that died between."""


class UploadReferences:
    """The uses of all uploads."""

    def __init__(self, bus: Bus) -> None:
        self._uses = RecordStore(bus, topology.UPLOAD_REFERENCES_BUCKET, UploadUse)
        self._jobs = JobRecords(bus)

    async def add(self, tenant: str, upload_id: str, job_id: str) -> None:
        """Note that a job needs an upload. Done before the job is written, and before the upload is looked at."""
        try:
            await self._uses.create(upload_use(tenant, upload_id, job_id), UploadUse(create_time=now()))
        except Conflict:  # a repeated request has noted it before
            return

    async def release(self, tenant: str, upload_id: str, job_id: str) -> None:
        """Note that a job does not need an upload any more."""
        if upload_id != job_id:
            await self._uses.purge(upload_use(tenant, upload_id, job_id))

    async def is_used(self, tenant: str, upload_id: str) -> bool:
        """Whether any job needs an upload, or is about to be written that does."""
        own = await self._jobs.get(record_key(tenant, upload_id))
        if own is not None and not own.value.audio_deleted and not own.value.removing:
            return True
        for job_id in await self._noted(tenant, upload_id):
            if not await self._is_stray(tenant, upload_id, job_id):
                return True
        return False

    async def jobs(self, tenant: str, upload_id: str) -> AsyncIterator[TranscriptionRecord]:
        """The jobs that need an upload, as far as they are written; without shadows, which callers do not know."""
        async for record in self._users(tenant, upload_id):
            if not record.shadow_of:
                yield record

    async def shadows(self, tenant: str, upload_id: str) -> AsyncIterator[TranscriptionRecord]:
        """The shadows that need an upload."""
        async for record in self._users(tenant, upload_id):
            if record.shadow_of:
                yield record

    async def _users(self, tenant: str, upload_id: str) -> AsyncIterator[TranscriptionRecord]:
        for job_id in [upload_id, *await self._noted(tenant, upload_id)]:
            stored = await self._jobs.get(record_key(tenant, job_id))
            if stored is not None and not stored.value.audio_deleted and not stored.value.removing:
                yield stored.value

    async def _noted(self, tenant: str, upload_id: str) -> list[str]:
        return [key.rpartition(".")[2] for key in await self._uses.keys(f"{tenant}.{upload_id}")]

    async def _is_stray(self, tenant: str, upload_id: str, job_id: str) -> bool:
        key = upload_use(tenant, upload_id, job_id)
        use = await self._uses.get(key)
        if use is None:
            return True
        if seconds_until(use.value.create_time) > -STRAY_SECONDS:
            return False
        if await self._jobs.get(record_key(tenant, job_id)) is not None:
            return False
        await self._uses.purge(key)
        return True
