"""What maintenance finds, and who does it."""

import asyncio

import pytest

from tests.integration.deletion.conftest import Stage, leftovers
from tiro.events.v1.maintenance_pb2 import MaintenanceRecord
from tiro.events.v1.transcription_pb2 import RequestRecord, TranscriptionRecord
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_core.blobs.keys import STORE_ID_KEY
from tiro_core.clock import in_seconds
from tiro_core.ids import new_id
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.records import Change, RecordStore
from tiro_ingest.resources.idempotency import IdempotencyStore, idempotent_request
from tiro_ingest.retention import maintenance
from tiro_ingest.retention.blob_owners import BlobOwners
from tiro_ingest.retention.blob_sweeper import BlobSweeper, SweepPolicy
from tiro_ingest.retention.maintenance import KEY, Maintenance
from tiro_ingest.retention.orphan_checks import request_check
from tiro_ingest.retention.progress import Progress
from tiro_ingest.retention.record_checks import AGAIN_SECONDS, Aged, CheckAges, CheckRunner, RecordCheck, Verdict

DEADLINE_SECONDS = 30.0


class Everything:
    """A rule by which everything is due. It notes what it is applied to."""

    def __init__(self, tenant: str, *, waits_at: str = "") -> None:
        self._tenant = tenant
        self.waits_at = waits_at
        self.seen: list[str] = []
        self.applied: list[str] = []

    async def verdict(self, aged: Aged[UploadRecord]) -> Verdict:
        """Of one tenant's only."""
        if aged.record.tenant != self._tenant:
            return Verdict.NOTHING
        if aged.record.upload_id == self.waits_at:
            return Verdict.WAIT
        self.seen.append(aged.record.upload_id)
        return Verdict.DUE

    async def apply(self, aged: Aged[UploadRecord]) -> None:
        """Note it."""
        self.applied.append(aged.record.upload_id)


@pytest.fixture
def records(bus: Bus) -> RecordStore[UploadRecord]:
    """Uploads' records."""
    return RecordStore(bus, topology.UPLOADS_BUCKET, UploadRecord)


async def write(records: RecordStore[UploadRecord], tenant: str, upload: str) -> None:
    """Write a record."""
    await records.put(subjects.record(tenant, upload), UploadRecord(tenant=tenant, upload_id=upload))


async def test_each_record_is_looked_at_once_behind_its_last_write(
    records: RecordStore[UploadRecord], tenant: str
) -> None:
    """In the order of the writes; again only when it was written again, or when the check begins anew."""
    rule, progress = Everything(tenant), Progress()
    check = RecordCheck("test", records, 0.0, rule)
    for name in ("b", "a", "c"):
        await write(records, tenant, name)
    await check.run(progress, 0.0)
    assert rule.applied == ["b", "a", "c"]
    await check.run(progress, 0.0)
    assert rule.applied == ["b", "a", "c"]
    await write(records, tenant, "b")
    await check.run(progress, 0.0)
    assert rule.applied == ["b", "a", "c", "b"]
    saved = MaintenanceRecord()
    progress.save_in(saved)
    saved.positions["test"].begin_time.CopyFrom(in_seconds(-AGAIN_SECONDS - 1))
    await check.run(Progress(saved), 0.0)
    assert rule.applied == ["b", "a", "c", "b", "a", "c", "b"]


async def test_a_record_that_is_not_old_enough_waits(records: RecordStore[UploadRecord], tenant: str) -> None:
    """It is looked at when it is, and so is one that will be due in a moment."""
    rule, progress = Everything(tenant, waits_at="b"), Progress()
    for name in ("a", "b", "c"):
        await write(records, tenant, name)
    await RecordCheck("test", records, 3600.0, rule).run(progress, 0.0)
    assert rule.seen == []
    check = RecordCheck("test", records, 0.0, rule)
    await check.run(progress, 0.0)
    assert rule.applied == ["a"]
    rule.waits_at = ""
    await check.run(progress, 0.0)
    assert rule.applied == ["a", "b", "c"]


async def test_a_reference_without_its_job_goes(stage: Stage, tenant: str) -> None:
    """That of a job that is there stays."""
    upload, job, other = new_id(), new_id(), new_id()
    for one in (job, other):
        await stage.other.references.add(tenant, upload, one)
    record = TranscriptionRecord(tenant=tenant, transcription_id=job, state=Transcription.STATE_QUEUED)
    await stage.other.jobs.create(subjects.record(tenant, job), record)
    await stage.maintainer.maintain(tenant)
    left = await leftovers(stage.bus, tenant)
    assert left.records == [
        f"{topology.UPLOAD_REFERENCES_BUCKET}: {tenant}.{upload}.{job}",
        f"{topology.JOBS_BUCKET}: {tenant}.{job}",
    ]


async def test_a_request_that_created_nothing_is_forgotten(stage: Stage, tenant: str) -> None:
    """One that led to an upload is not."""
    requests = IdempotencyStore(stage.bus)
    kept, lost = (idempotent_request(tenant, "CreateUpload", name, RequestRecord()) for name in ("kept", "lost"))
    upload = await requests.reserve(kept)
    await requests.reserve(lost)
    await stage.other.uploads.create(tenant, upload, display_name="", size_bytes=0, request_key=kept.key)
    await stage.maintainer.maintain(tenant)
    assert await requests.find(kept) == upload
    assert await requests.find(lost) is None


async def test_a_request_that_is_repeated_is_not_forgotten(stage: Stage, tenant: str) -> None:
    """It comes back while it is being forgotten, and creates what it has reserved before."""
    requests = IdempotencyStore(stage.bus)
    asked = idempotent_request(tenant, "CreateUpload", "mine", RequestRecord())
    reserved = await requests.reserve(asked)
    stored = await RecordStore(stage.bus, topology.REQUESTS_BUCKET, RequestRecord).get(asked.key)
    assert stored is not None
    assert await requests.reserve(asked) == reserved
    check = request_check(stage.bus, stage.other.jobs, CheckAges())
    await check.rule.apply(Aged(asked.key, stored.value, stored.revision))
    assert await requests.find(asked) == reserved


async def test_an_upload_that_is_stored_for_a_job_goes_without_one(stage: Stage, tenant: str) -> None:
    """Unless a repeated request has come back to it meanwhile. One that a caller made for jobs to come stays."""
    uploads, remover = stage.other.uploads, stage.other.remover
    lost, repeated, own = new_id(), new_id(), new_id()
    for upload in (lost, repeated, own):
        await uploads.create(tenant, upload, display_name="", size_bytes=0, needs_job=upload != own)
    store = RecordStore(stage.bus, topology.UPLOADS_BUCKET, UploadRecord)
    seen = await store.get(subjects.record(tenant, repeated))
    assert seen is not None
    await uploads.renew(tenant, repeated)
    await remover.remove_unneeded_upload(tenant, repeated, revision=seen.revision)
    assert (await uploads.get(tenant, repeated)).state == Upload.STATE_OPEN
    await remover.remove_unneeded_upload(tenant, repeated)
    await stage.maintainer.maintain(tenant)
    left = await leftovers(stage.bus, tenant)
    assert left.records == [f"{topology.UPLOADS_BUCKET}: {tenant}.{own}"]


class Noting:
    """A check that notes who runs it."""

    def __init__(self, name: str, ran: "asyncio.Queue[str]") -> None:
        self._name = name
        self._ran = ran

    async def run(self, progress: Progress, confirm_seconds: float) -> None:
        """Note it, and where it continues."""
        cursor = progress.cursor("noting", again_seconds=3600)
        progress.advance("noting", f"{cursor}{self._name}")
        await self._ran.put(cursor)


@pytest.fixture
async def unclaimed(bus: Bus) -> RecordStore[MaintenanceRecord]:
    """The deployment, not maintained by any service of another test."""
    store = RecordStore(bus, topology.MAINTENANCE_BUCKET, MaintenanceRecord)
    await store.purge(KEY)
    return store


async def test_one_service_maintains_at_a_time(
    stage: Stage, unclaimed: RecordStore[MaintenanceRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it stops another one continues where it was, for the same store."""
    monkeypatch.setattr(maintenance, "LEASE_SECONDS", 0.5)
    monkeypatch.setattr(maintenance, "RENEWAL_SECONDS", 0.1)
    ran: asyncio.Queue[str] = asyncio.Queue()

    def start(name: str) -> "asyncio.Task[None]":
        runner = CheckRunner([Noting(name, ran)], interval_seconds=3600)
        sweeper = BlobSweeper(stage.other.blobs, BlobOwners(stage.bus, stage.other.jobs), SweepPolicy())
        return asyncio.create_task(Maintenance(stage.bus, runner, sweeper).run())

    async with asyncio.timeout(DEADLINE_SECONDS):
        first = start("a")
        assert await ran.get() == ""
        second = start("b")
        renewals = 0
        async with unclaimed.watch(KEY) as changes:
            async for change in changes:
                if isinstance(change, Change) and change.value is not None:
                    assert change.value.epoch == 1, "another service has taken it from one that renews"
                    renewals += 1
                if renewals == 10:  # twice the length of a lease
                    break
        assert ran.empty()
        store_id = change.value.store_id if isinstance(change, Change) and change.value else ""
        first.cancel()
        assert await ran.get() == "a"
        second.cancel()
        await asyncio.wait((first, second))
    stored = await unclaimed.get(KEY)
    assert stored is not None
    assert (stored.value.epoch, stored.value.store_id) == (2, store_id)
    assert not stored.value.HasField("lease")
    assert stored.value.positions["noting"].cursor == "ab"


async def test_the_store_of_other_records_is_left_alone(stage: Stage) -> None:
    """It belongs to the records that it was first swept for."""
    sweeper = BlobSweeper(stage.other.blobs, BlobOwners(stage.bus, stage.other.jobs), SweepPolicy())
    await stage.other.blobs.delete(STORE_ID_KEY)
    assert await sweeper.belongs_to("these")
    assert await sweeper.belongs_to("these")
    assert not await sweeper.belongs_to("others")
    await stage.other.blobs.delete(STORE_ID_KEY)
