"""Checks for orphans: records that belong to a job or an upload that does not exist are removed.

Such records are written before the job or upload, and a service may die in between. Or they are written after its
deletion, by a service that has not seen that yet.
"""

from tiro.events.v1.transcription_pb2 import RequestRecord, TranscriptionRecord, UploadUse
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro_core.blobs.interface import BlobStore
from tiro_core.jobs.records import JobRecords
from tiro_core.jobs.removal import mark_for_deletion, remove_part
from tiro_core.jobs.states import TERMINAL
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import RecordStore
from tiro_core.messaging.subjects import record as record_key
from tiro_ingest.resources.idempotency import IdempotencyStore
from tiro_ingest.retention.record_checks import Aged, CheckAges, RecordCheck, Verdict
from tiro_ingest.uploads.references import UploadReferences


def part_check(bus: Bus, blobs: BlobStore, jobs: JobRecords, ages: CheckAges) -> RecordCheck[TranscriptionRecord]:
    """Removes parts whose job is over or deleted."""
    return RecordCheck("parts_without_job", jobs.open, ages.removal_seconds, _Parts(bus, blobs, jobs))


def reference_check(
    bus: Bus, jobs: JobRecords, references: UploadReferences, ages: CheckAges
) -> RecordCheck[UploadUse]:
    """Removes references to uploads whose job does not exist."""
    records = RecordStore(bus, topology.UPLOAD_REFERENCES_BUCKET, UploadUse)
    return RecordCheck("references_without_job", records, ages.orphan_seconds, _References(jobs, references))


def request_check(bus: Bus, jobs: JobRecords, ages: CheckAges) -> RecordCheck[RequestRecord]:
    """Removes records of requests whose job or upload does not exist."""
    records = RecordStore(bus, topology.REQUESTS_BUCKET, RequestRecord)
    return RecordCheck("requests_without_result", records, ages.orphan_seconds, _Requests(bus, jobs))


class _Parts:
    """The rule of parts: a part is kept while its job is open."""

    def __init__(self, bus: Bus, blobs: BlobStore, jobs: JobRecords) -> None:
        self._bus = bus
        self._blobs = blobs
        self._jobs = jobs

    async def verdict(self, aged: Aged[TranscriptionRecord]) -> Verdict:
        """Decide by the state of its job."""
        if not aged.record.HasField("part"):
            return Verdict.NOTHING
        job = await self._jobs.get(aged.key.rpartition(".")[0])
        is_over = job is None or job.value.removing or job.value.state in TERMINAL
        return Verdict.DUE if is_over else Verdict.NOTHING

    async def apply(self, aged: Aged[TranscriptionRecord]) -> None:
        """Remove the part, with its audio and transcripts."""
        try:
            await remove_part(self._bus, self._blobs, await mark_for_deletion(self._bus, self._jobs.open, aged.key))
        except KeyError:  # it is removed already
            return


class _References:
    """The rule of references to uploads: a reference is kept while its job needs the upload."""

    def __init__(self, jobs: JobRecords, references: UploadReferences) -> None:
        self._jobs = jobs
        self._references = references

    async def verdict(self, aged: Aged[UploadUse]) -> Verdict:
        """Decide by the state of its job."""
        tenant, _, job = aged.key.split(".")
        return Verdict.NOTHING if await self._jobs.get(record_key(tenant, job)) else Verdict.DUE

    async def apply(self, aged: Aged[UploadUse]) -> None:
        """Remove the reference."""
        tenant, upload, job = aged.key.split(".")
        await self._references.remove_stray(tenant, upload, job, aged.revision)


class _Requests:
    """The rule of requests: the record of a request is kept while the job or upload that it created exists."""

    def __init__(self, bus: Bus, jobs: JobRecords) -> None:
        self._jobs = jobs
        self._uploads = RecordStore(bus, topology.UPLOADS_BUCKET, UploadRecord)
        self._request_ids = IdempotencyStore(bus)

    async def verdict(self, aged: Aged[RequestRecord]) -> Verdict:
        """Decide by the existence of its job or upload."""
        resource = record_key(aged.key.partition(".")[0], aged.record.resource_id)
        is_there = await self._jobs.get(resource) is not None or await self._uploads.get(resource) is not None
        return Verdict.NOTHING if is_there else Verdict.DUE

    async def apply(self, aged: Aged[RequestRecord]) -> None:
        """Remove the record, unless the request was repeated since."""
        await self._request_ids.forget(aged.key, aged.revision)
