"""Maintenance: checks of records, and the lease on them."""

import asyncio

import pytest

from tests.integration.deletion.conftest import Stage, leftovers
from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.maintenance_pb2 import MaintenanceRecord
from tiro.events.v1.transcription_pb2 import Lease, RequestRecord, TranscriptionRecord
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_core.blobs.keys import STORE_ID_KEY
from tiro_core.clock import in_seconds
from tiro_core.ids import new_id
from tiro_core.leases.owned_record import new_lease
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.operations import subjects_in
from tiro_core.messaging.publishing import publish
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


class AllDue:
    """A rule by which all records of a tenant are due. It records its calls."""

    def __init__(self, tenant: str, *, waits_at: str = "") -> None:
        self._tenant = tenant
        self.waits_at = waits_at
        self.seen: list[str] = []
        self.applied: list[str] = []

    async def verdict(self, aged: Aged[UploadRecord]) -> Verdict:
        """Return DUE for records of the tenant."""
        if aged.record.tenant != self._tenant:
            return Verdict.NOTHING
        if aged.record.upload_id == self.waits_at:
            return Verdict.WAIT
        self.seen.append(aged.record.upload_id)
        return Verdict.DUE

    async def apply(self, aged: Aged[UploadRecord]) -> None:
        """Record the call."""
        self.applied.append(aged.record.upload_id)


@pytest.fixture
def records(bus: Bus) -> RecordStore[UploadRecord]:
    """The store of upload records."""
    return RecordStore(bus, topology.UPLOADS_BUCKET, UploadRecord)


async def write(records: RecordStore[UploadRecord], tenant: str, upload: str) -> None:
    """Write a record."""
    await records.put(subjects.record(tenant, upload), UploadRecord(tenant=tenant, upload_id=upload))


async def test_each_record_is_checked_once_after_its_last_write(
    records: RecordStore[UploadRecord], tenant: str
) -> None:
    """Records are checked in the order of writes, and again after another write or a restart of the check."""
    rule, progress = AllDue(tenant), Progress()
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


async def test_a_record_that_is_too_young_is_checked_later(records: RecordStore[UploadRecord], tenant: str) -> None:
    """A record that is too young, or whose verdict is WAIT, is checked again later."""
    rule, progress = AllDue(tenant, waits_at="b"), Progress()
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


async def test_a_reference_without_a_job_is_removed(stage: Stage, tenant: str) -> None:
    """The reference of an existing job stays."""
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


async def test_the_record_of_a_request_without_a_result_is_removed(stage: Stage, tenant: str) -> None:
    """The record of a request that created an upload stays."""
    requests = IdempotencyStore(stage.bus)
    kept, lost = (idempotent_request(tenant, "CreateUpload", name, RequestRecord()) for name in ("kept", "lost"))
    upload = await requests.reserve(kept)
    await requests.reserve(lost)
    await stage.other.uploads.create(tenant, upload, display_name="", size_bytes=0, request_key=kept.key)
    await stage.maintainer.maintain(tenant)
    assert await requests.find(kept) == upload
    assert await requests.find(lost) is None


async def test_the_record_of_a_repeated_request_is_kept(stage: Stage, tenant: str) -> None:
    """A request that is repeated while its record is being removed keeps its reserved id."""
    requests = IdempotencyStore(stage.bus)
    request = idempotent_request(tenant, "CreateUpload", "mine", RequestRecord())
    reserved = await requests.reserve(request)
    stored = await RecordStore(stage.bus, topology.REQUESTS_BUCKET, RequestRecord).get(request.key)
    assert stored is not None
    assert await requests.reserve(request) == reserved
    check = request_check(stage.bus, stage.other.jobs, CheckAges())
    await check.rule.apply(Aged(request.key, stored.value, stored.revision))
    assert await requests.find(request) == reserved


async def test_an_upload_that_needs_a_job_is_removed_without_one(stage: Stage, tenant: str) -> None:
    """Such an upload is removed unless a repeated request has renewed it. An upload of a caller stays."""
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


class RecordingCheck:
    """A check that records its runs."""

    def __init__(self, name: str, ran: "asyncio.Queue[str]") -> None:
        self._name = name
        self._ran = ran

    async def run(self, progress: Progress, confirm_seconds: float) -> None:
        """Record the cursor, and append the name of this check to it."""
        cursor = progress.cursor("recording", again_seconds=3600)
        progress.advance("recording", f"{cursor}{self._name}")
        await self._ran.put(cursor)


@pytest.fixture
async def unclaimed(bus: Bus) -> RecordStore[MaintenanceRecord]:
    """The store of maintenance records, without an owner from another test."""
    store = RecordStore(bus, topology.MAINTENANCE_BUCKET, MaintenanceRecord)
    await store.purge(KEY)
    return store


def session_record(tenant: str, state: SessionRecord.State.ValueType, lease: Lease | None = None) -> SessionRecord:
    """A live session of a model that no worker serves."""
    config = RecognitionConfig(engine="none", model="markers")
    return SessionRecord(tenant=tenant, session_id=new_id(), state=state, recognition=config, lease=lease)


async def test_a_session_without_a_worker_is_enqueued_again(stage: Stage, tenant: str) -> None:
    """A session that waits, or has lost its owner, is enqueued. One that is served, over or broken is not."""
    sessions = RecordStore(stage.bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord)
    lost = [
        session_record(tenant, SessionRecord.STATE_WAITING),
        session_record(tenant, SessionRecord.STATE_ACTIVE, new_lease("gone", -1)),
    ]
    served = [
        session_record(tenant, SessionRecord.STATE_ACTIVE, new_lease("alive", 60)),
        session_record(tenant, SessionRecord.STATE_ENDED),
    ]
    broken = SessionRecord(tenant=tenant, session_id=new_id(), state=SessionRecord.STATE_WAITING)  # without an engine
    for record in (*lost, *served, broken):
        await sessions.create(subjects.record(tenant, record.session_id), record)
    for _ in range(2):  # the second time they are in the queue
        await stage.maintainer.maintain(tenant)
    of_tenant = subjects.session("none", "markers", tenant, "*")
    enqueued = {subject.split(".")[-1] async for subject in subjects_in(stage.bus, topology.SESSIONS, of_tenant)}
    assert enqueued == {record.session_id for record in lost}


async def test_the_audio_of_a_session_that_is_over_is_removed(stage: Stage, tenant: str) -> None:
    """The audio of a session that has an owner stays."""
    sessions = RecordStore(stage.bus, topology.LIVE_SESSIONS_BUCKET, SessionRecord)
    over = session_record(tenant, SessionRecord.STATE_ENDED)
    served = session_record(tenant, SessionRecord.STATE_ACTIVE, new_lease("alive", 60))
    for record in (over, served):
        await sessions.create(subjects.record(tenant, record.session_id), record)
        await publish(stage.bus, subjects.live_audio(tenant, record.session_id), b"audio")
    await stage.maintainer.maintain(tenant)
    of_tenant = subjects.live_audio(tenant, "*")
    left = [subject async for subject in subjects_in(stage.bus, topology.LIVE_AUDIO, of_tenant)]
    assert left == [subjects.live_audio(tenant, served.session_id)]


async def test_one_service_maintains_at_a_time(
    stage: Stage, unclaimed: RecordStore[MaintenanceRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the owner stops another service continues at its cursor, for the same store."""
    monkeypatch.setattr(maintenance, "LEASE_SECONDS", 0.5)
    monkeypatch.setattr(maintenance, "RENEWAL_SECONDS", 0.1)
    ran: asyncio.Queue[str] = asyncio.Queue()

    def start(name: str) -> "asyncio.Task[None]":
        runner = CheckRunner([RecordingCheck(name, ran)], interval_seconds=3600)
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
                    assert change.value.epoch == 1, "another service has claimed a renewed lease"
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
    assert stored.value.positions["recording"].cursor == "ab"


async def test_a_deployment_whose_record_an_operator_has_deleted(
    stage: Stage, unclaimed: RecordStore[MaintenanceRecord]
) -> None:
    """Maintenance continues at once, before the marker of the deletion expires."""
    await unclaimed.create(KEY, MaintenanceRecord())
    await unclaimed.delete(KEY)
    ran: asyncio.Queue[str] = asyncio.Queue()
    sweeper = BlobSweeper(stage.other.blobs, BlobOwners(stage.bus, stage.other.jobs), SweepPolicy())
    running = asyncio.create_task(
        Maintenance(stage.bus, CheckRunner([RecordingCheck("a", ran)], interval_seconds=3600), sweeper).run()
    )
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await ran.get() == ""
    finally:
        running.cancel()
        await asyncio.wait((running,))


async def test_a_blob_store_of_another_deployment_is_not_swept(stage: Stage) -> None:
    """A blob store belongs to the deployment that was first to sweep it."""
    sweeper = BlobSweeper(stage.other.blobs, BlobOwners(stage.bus, stage.other.jobs), SweepPolicy())
    await stage.other.blobs.delete(STORE_ID_KEY)
    assert await sweeper.belongs_to("these")
    assert await sweeper.belongs_to("these")
    assert not await sweeper.belongs_to("others")
    await stage.other.blobs.delete(STORE_ID_KEY)
