"""Event logs and their consumers on a real NATS server, which is also killed and restarted."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.interleaving import Steps, interrupted_bus
from tests.support.nats import NatsServer, running_nats
from tiro.events.v1.transcription_pb2 import TranscriptionEvent
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.messaging.event_log import EventLog, Fenced
from tiro_core.messaging.operations import StoredMessage, purge
from tiro_core.messaging.reading.ordered_consumer import BATCH, DeliverFrom, OrderedConsumer, StreamState
from tiro_core.messaging.reading.pages import read_page
from tiro_core.settings import CoreSettings

STEPS_MAX = 20
"""More steps than reading a page has."""

Log = EventLog[TranscriptionEvent]


def event_log(bus: Bus, tenant: str) -> Log:
    """A writer of the event log of these tests."""
    return EventLog(
        bus,
        topology.JOB_EVENTS,
        subjects.job_events(tenant, "job"),
        TranscriptionEvent,
        lambda event: event.sequence,
    )


async def append(writer: Log, count: int = 1) -> None:
    """Append events without content."""
    for _ in range(count):
        await writer.append(lambda sequence: TranscriptionEvent(sequence=sequence))


def _number(entry: StoredMessage | StreamState) -> int | None:
    return TranscriptionEvent.FromString(entry.data).sequence if isinstance(entry, StoredMessage) else None


async def read(
    bus: Bus, tenant: str, count: int, *, after: int = 0, start: DeliverFrom = DeliverFrom.ALL
) -> list[int | None]:
    """The sequences of the next events, None where the consumer has caught up."""
    subject = subjects.job_events(tenant, "job")
    found: list[int | None] = []
    async with OrderedConsumer(bus, topology.JOB_EVENTS, subject, start=start, after_sequence=after) as consumer:
        async for entry in consumer:
            found.append(_number(entry))
            if len(found) == count:
                break
    return found


async def test_numbers_have_no_gaps_over_writers(bus: Bus, tenant: str) -> None:
    """A writer that resumes continues after the last event of the one before."""
    await append(event_log(bus, tenant), 3)
    second = event_log(bus, tenant)
    last = await second.resume()
    assert last is not None
    assert last.sequence == 3
    await append(second, 2)
    assert await read(bus, tenant, 6) == [1, 2, 3, 4, 5, None]


async def test_a_replaced_writer_is_refused(bus: Bus, tenant: str) -> None:
    """Once another writer has appended, each append of the first one is Fenced."""
    first, second = event_log(bus, tenant), event_log(bus, tenant)
    await append(first)
    await second.resume()
    await append(second)
    for _ in range(2):
        with pytest.raises(Fenced):
            await append(first)


async def test_a_log_that_is_deleted_at_every_step_of_a_reader(
    core_settings: CoreSettings, monkeypatch: pytest.MonkeyPatch, bus: Bus, tenant: str
) -> None:
    """A reader does not wait for events that were deleted after the server has counted them."""
    for number in range(STEPS_MAX):
        log_of = f"{tenant}-{number}"
        await append(event_log(bus, log_of), 3)
        subject = subjects.job_events(log_of, "job")
        deletion = partial(purge, bus, topology.JOB_EVENTS, subject)
        steps = Steps(interrupt_at=number, interruption=deletion)
        async with interrupted_bus(core_settings, monkeypatch, steps) as reader:
            page = await read_page(reader, topology.JOB_EVENTS, subject, after=0, limit=10)
        if not steps.has_interrupted:
            assert len(page) == 3
            return
    raise AssertionError(f"a reader has more than {STEPS_MAX} steps")


async def test_a_consumer_of_an_empty_log_is_caught_up_at_once(bus: Bus, tenant: str) -> None:
    """A consumer of an empty log reports that it has caught up, and then waits."""
    assert await read(bus, tenant, 1) == [None]


async def test_more_than_a_batch_arrives_in_order(bus: Bus, tenant: str) -> None:
    """A consumer requests further batches."""
    count = 3 * BATCH + 7
    await append(event_log(bus, tenant), count)
    assert await read(bus, tenant, count) == list(range(1, count + 1))


async def test_a_consumer_may_start_with_the_newest_message(bus: Bus, tenant: str) -> None:
    """With LAST_PER_SUBJECT a consumer starts with the newest message of each subject."""
    await append(event_log(bus, tenant), 5)
    assert await read(bus, tenant, 2, start=DeliverFrom.LAST_PER_SUBJECT) == [5, None]


async def test_a_cancelled_reader_loses_nothing(bus: Bus, tenant: str) -> None:
    """A reader that is cancelled while it waits loses no message, even if one arrives at that moment."""
    writer = event_log(bus, tenant)
    seen: list[int] = []
    async with OrderedConsumer(bus, topology.JOB_EVENTS, subjects.job_events(tenant, "job")) as entries:
        assert await anext(entries) is StreamState.CAUGHT_UP
        for _ in range(20):
            reading = asyncio.ensure_future(anext(entries))
            await append(writer)
            reading.cancel()
            [entry] = await asyncio.gather(reading, return_exceptions=True)
            if isinstance(entry, StoredMessage):  # it arrived before the cancellation
                seen.append(TranscriptionEvent.FromString(entry.data).sequence)
        while len(seen) < 20:
            entry = await anext(entries)
            assert isinstance(entry, StoredMessage)
            seen.append(TranscriptionEvent.FromString(entry.data).sequence)
    assert seen == list(range(1, 21))


async def test_a_lost_consumer_is_replaced(bus: Bus, tenant: str) -> None:
    """A consumer that was deleted on the server is replaced, and no message is lost or repeated."""
    writer = event_log(bus, tenant)
    await append(writer)
    seen: list[int] = []
    async with OrderedConsumer(bus, topology.JOB_EVENTS, subjects.job_events(tenant, "job")) as entries:
        async for entry in entries:
            if isinstance(entry, StreamState):
                consumers = await bus.jetstream.consumers_info(topology.JOB_EVENTS)
                [ours] = [one for one in consumers if one.config.filter_subject == subjects.job_events(tenant, "job")]
                await bus.jetstream.delete_consumer(topology.JOB_EVENTS, ours.name)
                await append(writer)
                continue
            seen.append(TranscriptionEvent.FromString(entry.data).sequence)
            if len(seen) == 2:
                break
    assert seen == [1, 2]


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A NATS server that the test may kill."""
    with running_nats(tmp_path) as server:
        yield server


@pytest.fixture
async def own_bus(own_server: NatsServer) -> AsyncIterator[Bus]:
    """A connection to the test's own server."""
    settings = CoreSettings.model_validate({"nats_url": own_server.url, "nats_monitor_url": own_server.monitor_url})
    async with open_bus(settings, "test") as bus:
        await topology.ensure_streams(bus, replicas=1)
        yield bus


async def test_no_event_is_lost_over_a_restart_of_nats(own_server: NatsServer, own_bus: Bus, tenant: str) -> None:
    """NATS is killed and restarted under a writer and a reader: every event arrives once and in order."""
    writer = event_log(own_bus, tenant)
    subject = subjects.job_events(tenant, "job")
    seen: list[int] = []
    async with OrderedConsumer(own_bus, topology.JOB_EVENTS, subject) as entries:
        await append(writer, 10)
        async for entry in entries:
            if isinstance(entry, StreamState):
                break
            seen.append(TranscriptionEvent.FromString(entry.data).sequence)
        await asyncio.to_thread(own_server.kill)
        writing = asyncio.create_task(append(writer, 10))
        await asyncio.to_thread(own_server.start)
        async for entry in entries:
            if isinstance(entry, StoredMessage):
                seen.append(TranscriptionEvent.FromString(entry.data).sequence)
            if len(seen) == 20:
                break
        await writing
    assert seen == list(range(1, 21))
