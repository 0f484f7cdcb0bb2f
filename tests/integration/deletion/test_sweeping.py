"""The sweeper on both kinds of blob stores."""

from collections.abc import AsyncIterator

import obstore
import pytest

from tests.support.s3 import S3Server
from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_core.blobs.factory import open_blob_store
from tiro_core.blobs.interface import BlobStore
from tiro_core.blobs.keys import BlobName, transcript_key, upload_key
from tiro_core.blobs.s3_client import make_client
from tiro_core.ids import new_id
from tiro_core.jobs.records import JobRecords
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import RecordStore
from tiro_core.settings import CoreSettings
from tiro_ingest.retention.blob_owners import BlobOwners
from tiro_ingest.retention.blob_sweeper import BlobSweeper, SweepPolicy
from tiro_ingest.retention.progress import Progress

AT_ONCE = SweepPolicy(orphan_seconds=0, confirm_seconds=0)


@pytest.fixture(params=["jetstream", "s3"])
async def blobs(
    request: pytest.FixtureRequest, core_settings: CoreSettings, bus: Bus, s3_server: S3Server
) -> AsyncIterator[BlobStore]:
    """Each store in turn."""
    settings = core_settings
    if request.param == "s3":
        settings = settings.model_copy(update={**s3_server.settings, "s3_prefix": "sweeping/"})
    async with open_blob_store(settings, bus) as store:
        yield store


def sweeper(bus: Bus, blobs: BlobStore, policy: SweepPolicy = AT_ONCE) -> BlobSweeper:
    """A sweeper of a store."""
    return BlobSweeper(blobs, BlobOwners(bus, JobRecords(bus)), policy)


async def stored(blobs: BlobStore, tenant: str) -> set[str]:
    """The keys of a tenant's blobs."""
    page = await blobs.list_parts(below=tenant)
    return {part.key for part in page.parts}


async def test_blobs_without_a_record_are_removed(bus: Bus, blobs: BlobStore, tenant: str) -> None:
    """For each kind of blob, one with a record stays, and one without is removed."""
    jobs = JobRecords(bus)
    uploads = RecordStore(bus, topology.UPLOADS_BUCKET, UploadRecord)
    sessions = RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord)
    upload, failed, live, ended, job, over = (new_id() for _ in range(6))
    await uploads.put(subjects.record(tenant, upload), UploadRecord(state=Upload.STATE_OPEN))
    await uploads.put(subjects.record(tenant, failed), UploadRecord(state=Upload.STATE_FAILED))
    await sessions.put(subjects.record(tenant, live), SessionRecord(state=SessionRecord.STATE_ACTIVE))
    await sessions.put(subjects.record(tenant, ended), SessionRecord(state=SessionRecord.STATE_ENDED))
    for name, state in ((job, Transcription.STATE_RUNNING), (over, Transcription.STATE_SUCCEEDED)):
        record = TranscriptionRecord(tenant=tenant, transcription_id=name, state=state)
        await jobs.create(subjects.record(tenant, name), record)
    kept = [
        upload_key(tenant, upload),
        upload_key(tenant, live),
        transcript_key(tenant, job, 1),
        transcript_key(tenant, over, 2),
        upload_key(tenant, f"{job}.00000"),  # its record is about to be written
        transcript_key(tenant, f"{job}.00001", 1),
        f"{tenant}.of.an.operator",
    ]
    gone = [
        upload_key(tenant, failed),
        upload_key(tenant, ended),
        upload_key(tenant, new_id()),
        transcript_key(tenant, new_id(), 1),
        transcript_key(tenant, f"shadow-{new_id()}", 1),
        upload_key(tenant, f"{over}.00000"),
        transcript_key(tenant, f"{new_id()}.00000", 1),
    ]
    for key in [*kept, *gone]:
        await blobs.put_part(key, 0, b"part")
        await blobs.put_part(key, 17, b"part")
    await sweeper(bus, blobs).sweep(Progress(), below=tenant)
    assert await stored(blobs, tenant) == set(kept)


async def test_a_young_blob_is_swept_later(bus: Bus, blobs: BlobStore, tenant: str) -> None:
    """A young blob without a record stays, and is removed by a later sweep."""
    key = upload_key(tenant, new_id())
    await blobs.put_part(key, 0, b"part")
    progress = Progress()
    await sweeper(bus, blobs, SweepPolicy(orphan_seconds=3600, confirm_seconds=0)).sweep(progress, below=tenant)
    assert await stored(blobs, tenant) == {key}
    if not blobs.lists_oldest_first:
        progress = Progress()  # it restarts with each pass
    await sweeper(bus, blobs).sweep(progress, below=tenant)
    assert not await stored(blobs, tenant)


class LateOwners(BlobOwners):
    """Owners whose upload record appears after the first look-up."""

    async def need(self, blob: BlobName) -> bool:
        """Look up the owner, and then create the record."""
        found = await super().need(blob)
        await self.uploads.put(subjects.record(blob.tenant, blob.resource), UploadRecord(state=Upload.STATE_READY))
        return found


async def test_a_record_that_appears_late_keeps_its_blob(bus: Bus, blobs: BlobStore, tenant: str) -> None:
    """Records are looked up twice: a leader that was just elected may lack the newest ones."""
    key = upload_key(tenant, new_id())
    await blobs.put_part(key, 0, b"part")
    await BlobSweeper(blobs, LateOwners(bus, JobRecords(bus)), AT_ONCE).sweep(Progress(), below=tenant)
    assert await stored(blobs, tenant) == {key}


async def test_other_objects_in_the_bucket_stay(s3_server: S3Server, bus: Bus, tenant: str) -> None:
    """Without a prefix, objects that are not blobs stay, even with similar names."""
    settings = CoreSettings.model_validate(s3_server.settings)
    client = make_client(settings, settings.s3_bucket)
    names = [f"{tenant}/report", f"{tenant}/2026/1", f"{tenant}/{new_id()}/video/0", f"{tenant}/{new_id()}.audio/0"]
    orphan = f"{tenant}/{new_id()}/audio/0"
    for name in [*names, orphan]:
        await obstore.put_async(client, name, b"bytes")
    async with open_blob_store(settings.model_copy(update={"nats_url": "unused"}), bus) as blobs:
        await sweeper(bus, blobs).sweep(Progress(), below=tenant)
    found = [item["path"] async for page in obstore.list(client, f"{tenant}/") for item in page]
    assert sorted(found) == sorted(names)
