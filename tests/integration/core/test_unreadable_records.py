"""Records that are damaged, or that other software wrote."""

import asyncio

import pytest

from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Unreadable
from tiro_core.messaging.event_log import EventLog
from tiro_core.messaging.mirror import open_mirror
from tiro_core.messaging.records import Change, RecordStore

GARBAGE = b"\xff\xff no record"


@pytest.fixture
def store(bus: Bus) -> RecordStore[WorkerRecord]:
    """A store of records."""
    return RecordStore(bus, topology.REQUESTS_BUCKET, WorkerRecord)


async def _spoil(bus: Bus, key: str) -> None:
    await bus.jetstream.publish(topology.bucket_subject(topology.REQUESTS_BUCKET, key), GARBAGE)


async def test_its_reader_gets_an_error(bus: Bus, store: RecordStore[WorkerRecord], tenant: str) -> None:
    """Reading such a record raises an error that names it and does not quote it."""
    await _spoil(bus, f"{tenant}.a")
    for read in (store.get(f"{tenant}.a"), store.mutate(f"{tenant}.a", lambda _: None)):
        with pytest.raises(Unreadable, match=rf"{tenant}\.a is no WorkerRecord") as caught:
            await read
        assert "no record" not in str(caught.value)


async def test_an_event_log_that_cannot_be_resumed(bus: Bus, tenant: str) -> None:
    """Resuming an event log whose last event cannot be decoded raises `Unreadable`."""
    subject = f"tiro.event.{tenant}.job"
    await bus.jetstream.publish(subject, GARBAGE)
    log = EventLog(bus, topology.JOB_EVENTS, subject, WorkerRecord, lambda event: event.jobs)
    with pytest.raises(Unreadable):
        await log.resume()


async def test_watchers_skip_it(bus: Bus, store: RecordStore[WorkerRecord], tenant: str) -> None:
    """Watches and mirrors skip such a record, also where it was readable before."""
    await _spoil(bus, f"{tenant}.a")
    await store.put(f"{tenant}.b", WorkerRecord(jobs=1))
    assert [change.key async for change in store.all(f"{tenant}.*")] == [f"{tenant}.b"]
    async with open_mirror(store) as mirror, store.watch(f"{tenant}.*") as changes:
        await _spoil(bus, f"{tenant}.b")
        await store.put(f"{tenant}.c", WorkerRecord(jobs=2))
        async with asyncio.timeout(10):
            while not (isinstance(change := await anext(changes), Change) and change.key == f"{tenant}.c"):
                continue
            while mirror.get(f"{tenant}.c") is None:  # noqa: ASYNC110 - a mirror has no event for one record
                await asyncio.sleep(0.01)


async def test_a_page_has_it_without_a_value(bus: Bus, store: RecordStore[WorkerRecord], tenant: str) -> None:
    """A page contains such a record without a value, so that its reader gets past it."""
    first = await store.create(f"{tenant}.a", WorkerRecord(jobs=1))
    await _spoil(bus, f"{tenant}.b")
    await store.put(f"{tenant}.c", WorkerRecord(jobs=2))
    page = await store.written_after(first.revision - 1, limit=3)
    assert [(change.key, change.value is None) for change in page] == [
        (f"{tenant}.a", False),
        (f"{tenant}.b", True),
        (f"{tenant}.c", False),
    ]
