"""Removing jobs and recordings, because their caller deletes them or because they have expired.

A job or upload is marked first, so that callers no longer find it. Then its data is removed, and its record last. A
service that dies in between leaves the mark, and another one finishes. Several services may remove the same job or
upload at once: every step may be repeated, also after the last one.
"""

import time
from contextlib import suppress

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.blobs.interface import BlobStore
from tiro_core.clock import now, seconds_until
from tiro_core.errors import TiroError, failed_precondition
from tiro_core.jobs.records import JobRecords
from tiro_core.jobs.removal import mark_for_deletion, purge_job_data, remove_part, remove_parts
from tiro_core.jobs.shadows import shadow_id
from tiro_core.jobs.states import TERMINAL, state_name
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.subjects import record as record_key
from tiro_ingest.jobs.expiry_entries import ExpiryEntries
from tiro_ingest.jobs.store import no_transcription
from tiro_ingest.resources.idempotency import IdempotencyStore
from tiro_ingest.uploads.references import UploadReferences
from tiro_ingest.uploads.store import Uploads, no_upload

log = get_logger()


class Remover:
    """Removes jobs with all their data, and uploads that no job needs."""

    def __init__(
        self,
        bus: Bus,
        blobs: BlobStore,
        records: JobRecords,
        *,
        entries: ExpiryEntries,
        uploads: Uploads,
        references: UploadReferences,
    ) -> None:
        self._bus = bus
        self._blobs = blobs
        self._uploads = uploads
        self._references = references
        self._records = records
        self._entries = entries
        self._request_ids = IdempotencyStore(bus)

    async def remove_job(self, tenant: str, job_id: str, *, has_entry: bool = False) -> None:
        """Remove a job in any state, or finish a removal that was begun.

        Args:
            tenant: The tenant of the job.
            job_id: The id of the job.
            has_entry: Whether an expiry entry exists that is kept until this returns.

        Raises:
            TiroError: NOT_FOUND.
        """
        key = record_key(tenant, job_id)
        try:
            await self._ensure_entry(tenant, job_id, has_entry=has_entry)
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
        await self._release_upload(record)
        await self._request_ids.release(record.request_key, job_id)
        await self._records.delete(key)
        log.info("job_removed", tenant=tenant, job=job_id)

    async def remove_audio(self, tenant: str, job_id: str, *, has_entry: bool = False) -> TranscriptionRecord:
        """Remove the recording of a job that is over, unless another job needs it. Does nothing if there is none.

        Args:
            tenant: The tenant of the job.
            job_id: The id of the job.
            has_entry: Whether an expiry entry exists that is kept until this returns.

        Raises:
            TiroError: NOT_FOUND; or FAILED_PRECONDITION, the job is not over.
        """

        def expire(record: TranscriptionRecord) -> None:
            if record.removing:
                raise no_transcription(job_id)
            if record.state not in TERMINAL:
                state = state_name(record)
                message = f"the transcription is {state} and still needs its recording"
                raise failed_precondition(reasons.ERROR_REASON_TRANSCRIPTION_NOT_ENDED, message, state=state)
            if seconds_until(record.audio_expire_time) > 0:
                record.audio_expire_time.CopyFrom(now())

        def note(record: TranscriptionRecord) -> None:
            record.audio_deleted = True

        key = record_key(tenant, job_id)
        try:
            await self._ensure_entry(tenant, job_id, has_entry=has_entry)
            record = (await self._records.mutate(key, expire)).value
            await self._remove_shadow(record)
            await self._release_upload(record)
            return (await self._records.mutate(key, note)).value
        except KeyError:
            raise no_transcription(job_id) from None

    async def remove_upload(self, tenant: str, upload_id: str) -> None:
        """Remove an upload. Jobs that are over and referred to it then have no recording.

        Raises:
            TiroError: NOT_FOUND; or FAILED_PRECONDITION, a job that is not over needs it.
        """
        await self._require_no_open_job(tenant, upload_id)
        if not await self._uploads.mark_for_deletion(tenant, upload_id):
            raise no_upload(upload_id)
        try:
            await self._require_no_open_job(tenant, upload_id)
        except TiroError:
            await self._uploads.undelete(tenant, upload_id)
            raise
        async for job in self._references.jobs(tenant, upload_id):
            await self.remove_audio(tenant, job.transcription_id)
        async for shadow in self._references.shadows(tenant, upload_id):
            with suppress(TiroError):  # the job is removed already
                await self.remove_job(tenant, shadow.transcription_id)
        await self._uploads.remove(tenant, upload_id)

    async def remove_unneeded_upload(self, tenant: str, upload_id: str, *, revision: int | None = None) -> bool:
        """Remove an upload unless a job needs it.

        The references to the upload are read before it is hidden, so that a new job is not refused an upload that
        another one needs; and again after it is hidden. A new job writes its reference before it reads the upload: so
        either this removal finds the reference, or the job finds the upload hidden.

        Args:
            tenant: The tenant of the upload.
            upload_id: The id of the upload.
            revision: Remove only this revision of the record: one that was written since stays. None: remove any.

        Returns:
            Whether no job needs it.
        """
        if await self._references.is_needed(tenant, upload_id):
            return False
        return await self.remove_hidden_upload(tenant, upload_id, revision=revision)

    async def remove_hidden_upload(self, tenant: str, upload_id: str, *, revision: int | None = None) -> bool:
        """Hide an upload if it is not hidden, then remove it, or show it again if a job needs it.

        Args:
            tenant: The tenant of the upload.
            upload_id: The id of the upload.
            revision: Remove only this revision of the record: one that was written since stays. None: remove any.

        Returns:
            Whether no job needs it.
        """
        if not await self._uploads.mark_for_deletion(tenant, upload_id, revision=revision):
            return True
        if await self._references.is_needed(tenant, upload_id):
            await self._uploads.undelete(tenant, upload_id)
            return False
        await self._uploads.remove(tenant, upload_id)
        return True

    async def _require_no_open_job(self, tenant: str, upload_id: str) -> None:
        """Require that no job that is not over needs an upload.

        Raises:
            TiroError: FAILED_PRECONDITION; a job that is not over needs the upload.
        """
        async for job in self._references.jobs(tenant, upload_id):
            if job.state not in TERMINAL:
                message = f"transcriptions/{job.transcription_id} is {state_name(job)} and needs the upload"
                raise failed_precondition(reasons.ERROR_REASON_UPLOAD_IN_USE, message)

    async def _ensure_entry(self, tenant: str, job_id: str, *, has_entry: bool) -> None:
        """Add an expiry entry for a job in the archive, so that another service finishes if this one dies.

        A removal of an open job is found by the mark in its record.
        """
        if not has_entry and await self._records.open.get(record_key(tenant, job_id)) is None:
            await self._entries.add(tenant, job_id, time.time())

    async def _remove_shadow(self, record: TranscriptionRecord) -> None:
        """Remove the shadow of a job, if there is one, because it needs the recording."""
        if record.HasField("shadow"):
            with suppress(TiroError):  # the shadow was not created yet, or is removed
                await self.remove_job(record.tenant, shadow_id(record.transcription_id))

    async def _release_upload(self, record: TranscriptionRecord) -> None:
        await self._references.release(record.tenant, record.upload_id, record.transcription_id)
        if not record.keeps_upload:
            await self.remove_unneeded_upload(record.tenant, record.upload_id)
