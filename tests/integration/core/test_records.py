"""Records on a real NATS server: compare-and-set, deletion, watches, ownership."""

import asyncio
import time

import pytest

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.leases.owned_record import OwnedRecord, OwnershipLost, lease_seconds_left, new_lease
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import BusUnavailable, Conflict, Rejected
from tiro_core.messaging.operations import purge
from tiro_core.messaging.publishing import publish
from tiro_core.messaging.reading.last_messages import SUBJECTS_MAX
from tiro_core.messaging.records import Change, RecordStore

Workers = RecordStore[WorkerRecord]


@pytest.fixture
def store(bus: Bus) -> Workers:
    """A store of records."""
    return RecordStore(bus, topology.REQUESTS_BUCKET, WorkerRecord)


async def test_a_created_record_is_read(store: Workers, tenant: str) -> None:
    """A created record is read, and a missing one is None."""
    assert await store.get(f"{tenant}.a") is None
    written = await store.create(f"{tenant}.a", WorkerRecord(worker_id="1"))
    assert await store.get(f"{tenant}.a") == written


async def test_many_records_are_read_with_one_request(store: Workers, bus: Bus, tenant: str) -> None:
    """Records are read by their keys. Those that are missing, deleted or unreadable are left out."""
    keys = [f"{tenant}.{number}" for number in range(100)]
    written = {key: await store.create(key, WorkerRecord(worker_id=key)) for key in keys}
    assert await store.get_many([*keys, f"{tenant}.missing"]) == written
    await store.delete(keys[0], written[keys[0]])
    await store.purge(keys[1])
    await publish(bus, topology.bucket_subject(topology.REQUESTS_BUCKET, keys[2]), b"\xff")
    assert set(await store.get_many(keys)) == set(keys[3:])
    assert await store.get_many([f"{tenant}.missing"]) == {}
    assert await store.get_many([]) == {}


async def test_reading_many_records_fails_as_reading_one_does(store: Workers, bus: Bus, tenant: str) -> None:
    """A request that the server refuses is `Rejected`. A stream that does not answer is unavailable."""
    keys = [f"{tenant}.{number}" for number in range(SUBJECTS_MAX + 1)]
    await asyncio.gather(*(store.put(key, WorkerRecord()) for key in keys))
    with pytest.raises(Rejected, match="413"):
        await store.get_many(keys)
    subject = topology.bucket_subject(topology.REQUESTS_BUCKET, f"{tenant}.>")
    await purge(bus, topology.bucket_stream(topology.REQUESTS_BUCKET), subject)  # maintenance reads all records
    with pytest.raises(BusUnavailable):
        await RecordStore(bus, "no-bucket", WorkerRecord).get_many(keys[:1])


async def test_the_second_creator_is_refused(store: Workers, tenant: str) -> None:
    """The second creation of a record is a Conflict, and the first record stays."""
    await store.create(f"{tenant}.a", WorkerRecord(worker_id="1"))
    with pytest.raises(Conflict):
        await store.create(f"{tenant}.a", WorkerRecord(worker_id="2"))
    stored = await store.get(f"{tenant}.a")
    assert stored is not None
    assert stored.value.worker_id == "1"


async def test_a_record_is_created_over_its_deletion(store: Workers, tenant: str) -> None:
    """`over_marker` creates a record over the marker of its deletion, and replaces no record."""
    stored = await store.create(f"{tenant}.a", WorkerRecord(jobs=1))
    await store.delete(f"{tenant}.a", stored)
    with pytest.raises(Conflict):
        await store.create(f"{tenant}.a", WorkerRecord(jobs=2))
    created = await store.create(f"{tenant}.a", WorkerRecord(jobs=3), over_marker=True)
    assert await store.get(f"{tenant}.a") == created
    with pytest.raises(Conflict):
        await store.create(f"{tenant}.a", WorkerRecord(jobs=4), over_marker=True)


async def test_a_purge_removes_the_revision_that_was_read(store: Workers, tenant: str) -> None:
    """A purge keeps a record that was written since. A purged record can be created again."""
    first = await store.create(f"{tenant}.a", WorkerRecord(jobs=1))
    second = await store.update(f"{tenant}.a", WorkerRecord(jobs=2), first)
    await store.purge(f"{tenant}.a", revision=first.revision)
    assert await store.get(f"{tenant}.a") == second
    await store.purge(f"{tenant}.a", revision=second.revision)
    assert await store.get(f"{tenant}.a") is None
    await store.create(f"{tenant}.a", WorkerRecord(jobs=3))


async def test_records_are_read_in_pages_in_the_order_of_writes(store: Workers, tenant: str) -> None:
    """Pages have each record once, by its last write and with its time, deletions included."""
    begun = time.time()
    first = await store.create(f"{tenant}.a", WorkerRecord(jobs=1))
    before = first.revision - 1
    await store.create(f"{tenant}.b", WorkerRecord(jobs=2))
    await store.update(f"{tenant}.a", WorkerRecord(jobs=3), first)
    await store.create(f"{tenant}.c", WorkerRecord(jobs=4))
    await store.delete(f"{tenant}.c")
    found: list[Change[WorkerRecord]] = []
    while page := await store.written_after(found[-1].revision if found else before, limit=2):
        assert len(page) <= 2
        found += page
    assert [(change.key, change.value and change.value.jobs) for change in found] == [
        (f"{tenant}.b", 2),
        (f"{tenant}.a", 3),
        (f"{tenant}.c", None),
    ]
    clock_error = 5.0
    assert all(begun - clock_error < change.written_at < time.time() + clock_error for change in found)


async def test_an_update_needs_the_newest_revision(store: Workers, tenant: str) -> None:
    """An update of an older revision is a Conflict."""
    first = await store.create(f"{tenant}.a", WorkerRecord(jobs=1))
    await store.update(f"{tenant}.a", WorkerRecord(jobs=2), first)
    with pytest.raises(Conflict):
        await store.update(f"{tenant}.a", WorkerRecord(jobs=3), first)


async def test_concurrent_changes_are_all_applied(store: Workers, tenant: str) -> None:
    """Concurrent changes of a record are applied one after the other, and none is lost."""
    await store.create(f"{tenant}.a", WorkerRecord())

    def count(record: WorkerRecord) -> None:
        record.jobs += 1

    await asyncio.gather(*(store.mutate(f"{tenant}.a", count) for _ in range(5)))
    stored = await store.get(f"{tenant}.a")
    assert stored is not None
    assert stored.value.jobs == 5


async def test_a_change_that_raises_is_not_written(store: Workers, tenant: str) -> None:
    """A change that raises leaves the record as it was."""
    written = await store.create(f"{tenant}.a", WorkerRecord(jobs=1))

    def refuse(record: WorkerRecord) -> None:
        record.jobs = 9
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await store.mutate(f"{tenant}.a", refuse)
    assert await store.get(f"{tenant}.a") == written


async def test_a_deleted_record_is_none(store: Workers, tenant: str) -> None:
    """A deleted record is read as None."""
    await store.create(f"{tenant}.a", WorkerRecord())
    await store.delete(f"{tenant}.a")
    assert await store.get(f"{tenant}.a") is None


async def test_keys_are_those_of_the_tenant(store: Workers, tenant: str) -> None:
    """A list of a tenant's keys has no other tenant's, even with a similar name."""
    await store.create(f"{tenant}.a", WorkerRecord())
    await store.create(f"{tenant}.b", WorkerRecord())
    await store.create(f"{tenant}x.c", WorkerRecord())
    assert sorted(await store.keys(tenant)) == [f"{tenant}.a", f"{tenant}.b"]


async def test_a_watch_yields_existing_records_and_changes(store: Workers, tenant: str) -> None:
    """A watch yields the existing records, then CAUGHT_UP, then every change, deletions included."""
    await store.create(f"{tenant}.a", WorkerRecord(jobs=1))
    seen = []
    async with store.watch(f"{tenant}.*") as changes:
        async for change in changes:
            seen.append((change.value.jobs if change.value else "deleted") if isinstance(change, Change) else None)
            if seen == [1, None]:
                await store.create(f"{tenant}.b", WorkerRecord(jobs=2))
                await store.delete(f"{tenant}.a")
            if len(seen) == 4:
                break
    assert seen == [1, None, 2, "deleted"]


def _owned(stored: object, store: RecordStore[TranscriptionRecord], key: str) -> OwnedRecord[TranscriptionRecord]:
    return OwnedRecord(store, key, stored, worker_id="w", lease_seconds=10)  # type: ignore[arg-type] # see the callers


async def test_an_owner_renews_and_changes(bus: Bus, tenant: str) -> None:
    """The owner of a record renews its lease and updates the record."""
    store = RecordStore(bus, topology.REQUESTS_BUCKET, TranscriptionRecord)
    record = TranscriptionRecord(epoch=1, state=Transcription.STATE_RUNNING, lease=new_lease("w", 1))
    owned = _owned(await store.create(f"{tenant}.a", record), store, f"{tenant}.a")
    await owned.renew()
    assert 9 < lease_seconds_left(owned.value) <= 10
    await owned.update(
        lambda value: value.MergeFrom(TranscriptionRecord(attempts=[Transcription.Attempt(worker_id="w")]))
    )
    stored = await store.get(f"{tenant}.a")
    assert stored is not None
    assert len(stored.value.attempts) == 1


async def test_a_replaced_owner_is_refused(bus: Bus, tenant: str) -> None:
    """The first write after a change of the epoch raises OwnershipLost."""
    store = RecordStore(bus, topology.REQUESTS_BUCKET, TranscriptionRecord)
    record = TranscriptionRecord(epoch=1, state=Transcription.STATE_RUNNING)
    owned = _owned(await store.create(f"{tenant}.a", record), store, f"{tenant}.a")

    def claim(value: TranscriptionRecord) -> None:
        value.epoch = 2

    await store.mutate(f"{tenant}.a", claim)
    with pytest.raises(OwnershipLost):
        await owned.renew()


async def test_an_owner_keeps_changes_by_others(bus: Bus, tenant: str) -> None:
    """A change by another process that keeps epoch and state is kept by the owner's next write."""
    store = RecordStore(bus, topology.REQUESTS_BUCKET, TranscriptionRecord)
    record = TranscriptionRecord(epoch=1, state=Transcription.STATE_RUNNING)
    owned = _owned(await store.create(f"{tenant}.a", record), store, f"{tenant}.a")

    def rename(value: TranscriptionRecord) -> None:
        value.display_name = "renamed"

    await store.mutate(f"{tenant}.a", rename)
    await owned.renew()
    assert owned.value.display_name == "renamed"
