"""Writes whose answer is lost: each is applied once, and a writer does not take its own write for another's."""

import asyncio

import pytest

from tests.support.lost_answers import losing_answer, refusing_as_under_way
from tiro.events.v1.transcription_pb2 import TranscriptionEvent
from tiro.events.v1.worker_pb2 import WorkerRecord
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import BusUnavailable, Conflict
from tiro_core.messaging.event_log import EventLog, Fenced
from tiro_core.messaging.records import RecordStore, Superseded


@pytest.fixture
def store(bus: Bus) -> RecordStore[WorkerRecord]:
    """A store of records in any bucket."""
    return RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, WorkerRecord)


@pytest.fixture
def log(bus: Bus, tenant: str) -> EventLog[TranscriptionEvent]:
    """A writer of an empty event log."""
    subject = subjects.job_events(tenant, "job")
    return EventLog(bus, topology.JOB_EVENTS, subject, TranscriptionEvent, lambda event: event.sequence)


def subject_of(key: str) -> str:
    """The subject of a record."""
    return topology.bucket_subject(topology.LIVE_SESSIONS_BUCKET, key)


def one_more(record: WorkerRecord) -> None:
    """A change that must be applied once."""
    record.jobs += 1


def event(sequence: int) -> TranscriptionEvent:
    """An event without content."""
    return TranscriptionEvent(sequence=sequence)


async def test_a_lost_answer_is_not_a_conflict(bus: Bus, store: RecordStore[WorkerRecord], tenant: str) -> None:
    """A write whose answer was lost is found by its id, and not repeated."""
    key = f"{tenant}.a"
    await store.create(key, WorkerRecord())
    with losing_answer(bus, subject_of(key)):
        stored = await store.mutate(key, one_more)
    assert stored.value.jobs == 1
    newest = await store.get(key)
    assert newest is not None
    assert (newest.value.jobs, newest.revision) == (1, stored.revision)


async def test_a_change_is_applied_once_although_another_writer_follows(
    bus: Bus, store: RecordStore[WorkerRecord], tenant: str
) -> None:
    """A writer whose answer was lost finds its write before another writer's, and does not repeat it."""
    key = f"{tenant}.a"
    await store.create(key, WorkerRecord())
    other = RecordStore(bus, topology.LIVE_SESSIONS_BUCKET, WorkerRecord)

    async def another_writes() -> None:
        await other.mutate(key, one_more)

    with losing_answer(bus, subject_of(key), another_writes):
        await store.mutate(key, one_more)
    newest = await store.get(key)
    assert newest is not None
    assert newest.value.jobs == 2


async def test_a_superseded_write_raises_superseded(bus: Bus, store: RecordStore[WorkerRecord], tenant: str) -> None:
    """A write that was stored and then overwritten raises Superseded. One that was not stored raises Conflict."""
    key = f"{tenant}.a"
    first = await store.create(key, WorkerRecord())

    async def another_writes() -> None:
        await store.mutate(key, one_more)

    with losing_answer(bus, subject_of(key), another_writes), pytest.raises(Superseded):
        await store.update(key, WorkerRecord(jobs=5), first)
    with pytest.raises(Conflict) as refused:
        await store.update(key, WorkerRecord(jobs=7), first)
    assert not isinstance(refused.value, Superseded)


async def test_a_write_that_is_being_replicated_is_not_a_conflict(
    bus: Bus, store: RecordStore[WorkerRecord], log: EventLog[TranscriptionEvent], tenant: str
) -> None:
    """Error 10164 may be caused by the writer's own first attempt, so the write is repeated."""
    key = f"{tenant}.a"
    await store.create(key, WorkerRecord())
    with refusing_as_under_way(bus, subject_of(key)) as published:
        await store.mutate(key, one_more)
    assert published.count(subject_of(key)) == 2
    with refusing_as_under_way(bus, subjects.job_events(tenant, "job")):
        await log.append(event)
    assert log.sequence == 1


async def test_an_event_whose_answer_was_lost_is_written_once(
    bus: Bus, log: EventLog[TranscriptionEvent], tenant: str
) -> None:
    """Sequences stay contiguous, and a writer is not fenced by its own event."""
    with losing_answer(bus, subjects.job_events(tenant, "job")):
        await log.append(event)
    await log.append(event)
    assert log.sequence == 2


async def test_a_writer_continues_after_a_cancelled_append(
    bus: Bus, log: EventLog[TranscriptionEvent], tenant: str
) -> None:
    """A writer whose append was cancelled while it was stored continues after that event, and is not fenced."""
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        reached.set()
        await go_on.wait()

    with losing_answer(bus, subjects.job_events(tenant, "job"), wait):
        appending = asyncio.create_task(log.append(event))
        await reached.wait()
        appending.cancel()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await appending
    await log.append(event)
    assert log.sequence == 2


async def test_a_writer_continues_after_an_append_that_timed_out(
    bus: Bus, log: EventLog[TranscriptionEvent], tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event whose append timed out may be stored: the next event follows it."""
    monkeypatch.setattr("tiro_core.messaging.publishing.PATIENCE_SECONDS", 0.0)
    with losing_answer(bus, subjects.job_events(tenant, "job")), pytest.raises(BusUnavailable, match="did not answer"):
        await log.append(event)
    await log.append(event)
    assert log.sequence == 2


async def test_a_replaced_writer_is_fenced_after_a_lost_answer(
    bus: Bus, log: EventLog[TranscriptionEvent], tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a lost answer a writer accepts its own event only: with another writer's event it is Fenced."""
    monkeypatch.setattr("tiro_core.messaging.publishing.PATIENCE_SECONDS", 0.0)
    subject = subjects.job_events(tenant, "job")
    other = EventLog(bus, topology.JOB_EVENTS, subject, TranscriptionEvent, lambda one: one.sequence)

    async def another_takes_over() -> None:
        await other.resume()
        await other.append(event)

    with losing_answer(bus, subject, another_takes_over), pytest.raises(BusUnavailable, match="did not answer"):
        await log.append(event)
    with pytest.raises(Fenced):
        await log.append(event)
