"""Checks of uploads: those that have expired, those stored for a deleted job, and removals that were not finished."""

from collections.abc import Sequence

from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_core.clock import seconds_until
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import RecordStore
from tiro_ingest.retention.record_checks import Aged, CheckAges, RecordCheck, Verdict
from tiro_ingest.retention.remover import Remover
from tiro_ingest.uploads.references import UploadReferences
from tiro_ingest.uploads.store import Uploads

CLOCK_ERROR_SECONDS_MAX = 60.0
"""The largest difference of the clocks of ingest and NATS. With a larger one, uploads expire up to a day later."""


def upload_checks(
    bus: Bus, uploads: Uploads, references: UploadReferences, remover: Remover, ages: CheckAges
) -> Sequence[RecordCheck[UploadRecord]]:
    """All checks of uploads. Each record is checked once by each of them.

    Args:
        bus: The connection.
        uploads: The uploads.
        references: The references to uploads.
        remover: Removes uploads.
        ages: The ages at which records are checked.
    """
    records = RecordStore(bus, topology.UPLOADS_BUCKET, UploadRecord)
    return [
        RecordCheck("hidden_uploads", records, ages.removal_seconds, _Hidden(uploads, remover)),
        RecordCheck("uploads_without_job", records, ages.orphan_seconds, _WithoutJob(references, remover)),
        RecordCheck("unfinished_uploads", records, uploads.ttl_seconds, _Unfinished(uploads)),
        RecordCheck("unneeded_uploads", records, uploads.ready_ttl_seconds, _Unneeded(uploads, remover)),
    ]


class _Hidden:
    """The rule of hidden uploads: one is removed, or shown again where a job needs it.

    The recording of a live session gets its expiry time here: its worker does not know how long uploads are kept.
    """

    def __init__(self, uploads: Uploads, remover: Remover) -> None:
        self._uploads = uploads
        self._remover = remover

    async def verdict(self, aged: Aged[UploadRecord]) -> Verdict:
        """Decide by whether the upload is hidden."""
        record = aged.record
        is_untimed = record.state == Upload.STATE_READY and not record.HasField("expire_time")
        return Verdict.DUE if record.removing or is_untimed else Verdict.NOTHING

    async def apply(self, aged: Aged[UploadRecord]) -> None:
        """Finish the removal. One that was decided is finished even if a job needs the upload."""
        record = aged.record
        if not record.removing:
            await self._uploads.renew(record.tenant, record.upload_id)
        elif record.state == Upload.STATE_FAILED:
            await self._uploads.remove(record.tenant, record.upload_id)
        else:
            await self._remover.remove_hidden_upload(record.tenant, record.upload_id, revision=aged.revision)


class _WithoutJob:
    """The rule of uploads that were stored for a job: one is removed when no job needs it."""

    def __init__(self, references: UploadReferences, remover: Remover) -> None:
        self._references = references
        self._remover = remover

    async def verdict(self, aged: Aged[UploadRecord]) -> Verdict:
        """Decide by whether the upload was stored for a job that needs it."""
        record = aged.record
        if not record.needs_job or record.removing:
            return Verdict.NOTHING
        is_needed = await self._references.is_needed(record.tenant, record.upload_id)
        return Verdict.NOTHING if is_needed else Verdict.DUE

    async def apply(self, aged: Aged[UploadRecord]) -> None:
        """Remove the upload, unless a repeated request has written it since."""
        record = aged.record
        await self._remover.remove_unneeded_upload(record.tenant, record.upload_id, revision=aged.revision)


class _Unfinished:
    """The rule of unfinished and refused uploads: one is removed when it has expired."""

    def __init__(self, uploads: Uploads) -> None:
        self._uploads = uploads

    async def verdict(self, aged: Aged[UploadRecord]) -> Verdict:
        """Decide by the expiry time."""
        record = aged.record
        return Verdict.NOTHING if record.removing or record.state == Upload.STATE_READY else _expiry(record)

    async def apply(self, aged: Aged[UploadRecord]) -> None:
        """Remove the upload, unless a writer has written it since."""
        record = aged.record
        if await self._uploads.expire(record.tenant, record.upload_id):
            await self._uploads.remove(record.tenant, record.upload_id)


class _Unneeded:
    """The rule of finished uploads: one is removed when it has expired, or kept as long again where a job needs it."""

    def __init__(self, uploads: Uploads, remover: Remover) -> None:
        self._uploads = uploads
        self._remover = remover

    async def verdict(self, aged: Aged[UploadRecord]) -> Verdict:
        """Decide by the expiry time."""
        record = aged.record
        return Verdict.NOTHING if record.removing or record.state != Upload.STATE_READY else _expiry(record)

    async def apply(self, aged: Aged[UploadRecord]) -> None:
        """Remove the upload, or renew its expiry time."""
        record = aged.record
        if not await self._remover.remove_unneeded_upload(record.tenant, record.upload_id, revision=aged.revision):
            await self._uploads.renew(record.tenant, record.upload_id)


def _expiry(record: UploadRecord) -> Verdict:
    left = seconds_until(record.expire_time)
    if left <= 0:
        return Verdict.DUE
    return Verdict.WAIT if left <= CLOCK_ERROR_SECONDS_MAX else Verdict.NOTHING
