"""Removing jobs and recordings, by their caller's wish or because their time is over.

What is removed is marked first, so that nobody finds it any more; then what belongs to it goes, and it goes last. Who
dies in between leaves the mark, and the janitor goes on there.
"""

import time
from contextlib import suppress

from tiro.events.v1.transcription_pb2 import RequestRecord, TranscriptionRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.blobs.interface import BlobStore
from tiro_core.errors import TiroError, failed_precondition
from tiro_core.jobs.records import JobRecords
from tiro_core.jobs.removal import mark_for_deletion, purge_job_data, remove_part, remove_parts
from tiro_core.jobs.shadows import shadow_id
from tiro_core.jobs.states import TERMINAL, state_name
from tiro_core.logs.logger import get_logger
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import RecordStore
from tiro_core.messaging.subjects import record as record_key
from tiro_ingest.jobs.store import no_transcription
from tiro_ingest.retention.entries import ExpiryEntries
from tiro_ingest.uploads.references import UploadReferences
from tiro_ingest.uploads.store import Uploads, no_upload

log = get_logger()


class Remover:
    """Removes jobs with all that belongs to them, and uploads that no job needs."""

    def __init__(
        self,
        bus: Bus,
        blobs: BlobStore,
        records: JobRecords,
        *,
        entries: ExpiryEntries,
        uploads: Uploads,
        uses: UploadReferences,
    ) -> None:
        self._bus = bus
        self._blobs = blobs
        self._uploads = uploads
        self._uses = uses
        self._records = records
        self._entries = entries
        self._requests = RecordStore(bus, topology.REQUESTS_BUCKET, RequestRecord)

    async def remove_job(self, tenant: str, job_id: str, *, has_entry: bool = False) -> None:
        """Remove a job, whatever its state. One that is being removed already is removed to its end.

        Args:
            tenant: Whose job it is.
            job_id: Which one.
            has_entry: There is an expiry entry that is kept until this returns.

        Raises:
            TiroError: NOT_FOUND.
        """
        key = record_key(tenant, job_id)
        try:
            if not has_entry and await self._records.open.get(key) is None:
                # Should this service die, the removal is finished by whoever finds the entry.
                await self._entries.add(tenant, job_id, time.time())
            record = await mark_for_deletion(self._bus, self._records, key)
        except KeyError:
            raise no_transcription(job_id) from None
        if record.HasField("part"):
            await remove_part(self._bus, self._blobs, record)
            return
        if record.split:
            await remove_parts(self._bus, self._blobs, tenant, job_id)
        await self._remove_shadow(record)
        await purge_job_data(self._bus, self._blobs, tenant, job_id)
        await self._let_go(record)
        if record.request_key:
            await self._requests.purge(record.request_key)
        await self._records.delete(key)
        log.info("job_removed", tenant=tenant, job=job_id)

    async def remove_audio(self, tenant: str, job_id: str) -> TranscriptionRecord:
        """Make a job that is over let go of its recording. It may have done so before.

        Raises:
            TiroError: NOT_FOUND; or FAILED_PRECONDITION, the job is not over.
        """

        def let_go(record: TranscriptionRecord) -> None:
            if record.removing:
                raise no_transcription(job_id)
            if record.state not in TERMINAL:
                state = state_name(record)
                message = f"the transcription is {state} and still needs its recording"
                raise failed_precondition(reasons.ERROR_REASON_TRANSCRIPTION_NOT_ENDED, message, state=state)
            record.audio_deleted = True

        try:
            record = (await self._records.mutate(record_key(tenant, job_id), let_go)).value
        except KeyError:
            raise no_transcription(job_id) from None
        await self._remove_shadow(record)
        await self._let_go(record)
        return record

    async def remove_upload(self, tenant: str, upload_id: str) -> None:
        """Remove an upload. The jobs that had it and are over have no recording any more.

        Raises:
            TiroError: NOT_FOUND; or FAILED_PRECONDITION, a job that is not over needs it.
        """
        if not await self._uploads.mark_for_deletion(tenant, upload_id):
            raise no_upload(upload_id)
        async for job in self._uses.jobs(tenant, upload_id):
            if job.state not in TERMINAL:
                await self._uploads.undelete(tenant, upload_id)
                message = f"transcriptions/{job.transcription_id} is {state_name(job)} and needs the upload"
                raise failed_precondition(reasons.ERROR_REASON_UPLOAD_IN_USE, message)
        async for job in self._uses.jobs(tenant, upload_id):
            await self.remove_audio(tenant, job.transcription_id)
        async for shadow in self._uses.shadows(tenant, upload_id):
            with suppress(TiroError):  # it is gone
                await self.remove_job(tenant, shadow.transcription_id)
        await self._uploads.remove(tenant, upload_id)

    async def remove_unused_upload(self, tenant: str, upload_id: str) -> bool:
        """Remove an upload unless a job needs it, and say whether it is gone.

        It is hidden before its uses are looked at, as a job notes its use before it looks at the upload: one of the
        two sees the other.
        """
        if not await self._uploads.mark_for_deletion(tenant, upload_id):
            return True
        if await self._uses.is_used(tenant, upload_id):
            await self._uploads.undelete(tenant, upload_id)
            return False
        await self._uploads.remove(tenant, upload_id)
        return True

    async def _remove_shadow(self, record: TranscriptionRecord) -> None:
        """Remove the job that another engine does on the same recording, where there is one: it needs the recording."""
        if record.HasField("shadow"):
            with suppress(TiroError):  # it has not begun, or is gone
                await self.remove_job(record.tenant, shadow_id(record.transcription_id))

    async def _let_go(self, record: TranscriptionRecord) -> None:
        await self._uses.release(record.tenant, record.upload_id, record.transcription_id)
        if not record.keeps_upload:
            await self.remove_unused_upload(record.tenant, record.upload_id)
