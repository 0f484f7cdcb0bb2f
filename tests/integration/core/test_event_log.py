"""Event lines and tails over a real NATS server that is killed and started again."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.nats import NatsServer, running_nats
from tiro.events.v1.transcription_pb2 import TranscriptionEvent
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.messaging.event_log import EventLog, Fenced
from tiro_core.messaging.operations import StoredMessage
from tiro_core.messaging.reading.ordered_consumer import BATCH, DeliverFrom, OrderedConsumer, StreamState
from tiro_core.settings import CoreSettings

Line = EventLog[TranscriptionEvent]


def line(bus: Bus, tenant: str) -> Line:
    """A writer for the one line of these tests."""
    return EventLog(
        bus,
        topology.JOB_EVENTS,
        subjects.job_events(tenant, "job"),
        TranscriptionEvent,
        lambda event: event.sequence,
    )


async def append(writer: Line, count: int = 1) -> None:
    """Write events that say nothing but their number."""
    for _ in range(count):
        await writer.append(lambda sequence: TranscriptionEvent(sequence=sequence))


def _number(entry: StoredMessage | StreamState) -> int | None:
    return TranscriptionEvent.FromString(entry.data).sequence if isinstance(entry, StoredMessage) else None


async def read(
    bus: Bus, tenant: str, count: int, *, after: int = 0, start: DeliverFrom = DeliverFrom.ALL
) -> list[int | None]:
    """The numbers of the next events, None where the tail has caught up."""
    subject = subjects.job_events(tenant, "job")
    found: list[int | None] = []
    async with OrderedConsumer(bus, topology.JOB_EVENTS, subject, start=start, after_sequence=after) as tail:
        async for entry in tail:
            found.append(_number(entry))
            if len(found) == count:
                break
    return found


async def test_numbers_have_no_gaps_over_writers(bus: Bus, tenant: str) -> None:
    """A writer that resumes goes on where the one before stopped."""
    await append(line(bus, tenant), 3)
    second = line(bus, tenant)
    last = await second.resume()
    assert last is not None
    assert last.sequence == 3
    await append(second, 2)
    assert await read(bus, tenant, 6) == [1, 2, 3, 4, 5, None]


async def test_a_replaced_writer_is_refused(bus: Bus, tenant: str) -> None:
    """Once another writer has written, the first one's next event is refused, and so is every later one."""
    first, second = line(bus, tenant), line(bus, tenant)
    await append(first)
    await second.resume()
    await append(second)
    for _ in range(2):
        with pytest.raises(Fenced):
            await append(first)


async def test_an_empty_line_is_caught_up_at_once(bus: Bus, tenant: str) -> None:
    """A tail of nothing says so, then waits."""
    assert await read(bus, tenant, 1) == [None]


async def test_more_than_a_batch_arrives_in_order(bus: Bus, tenant: str) -> None:
    """A tail asks for the next batch by itself."""
    count = 3 * BATCH + 7
    await append(line(bus, tenant), count)
    assert await read(bus, tenant, count) == list(range(1, count + 1))


async def test_the_newest_only(bus: Bus, tenant: str) -> None:
    """A tail may begin with the newest message of each subject."""
    await append(line(bus, tenant), 5)
    assert await read(bus, tenant, 2, start=DeliverFrom.LAST_PER_SUBJECT) == [5, None]


async def test_a_cancelled_reader_loses_nothing(bus: Bus, tenant: str) -> None:
    """A reader that is cancelled while it waits, whatever comes then, goes on with the next message."""
    writer = line(bus, tenant)
    seen: list[int] = []
    async with OrderedConsumer(bus, topology.JOB_EVENTS, subjects.job_events(tenant, "job")) as entries:
        assert await anext(entries) is StreamState.CAUGHT_UP
        for _ in range(20):
            reading = asyncio.ensure_future(anext(entries))
            await append(writer)
            reading.cancel()
            [entry] = await asyncio.gather(reading, return_exceptions=True)
            if isinstance(entry, StoredMessage):  # it was faster
                seen.append(TranscriptionEvent.FromString(entry.data).sequence)
        while len(seen) < 20:
            entry = await anext(entries)
            assert isinstance(entry, StoredMessage)
            seen.append(TranscriptionEvent.FromString(entry.data).sequence)
    assert seen == list(range(1, 21))


async def test_a_tail_whose_consumer_was_lost_goes_on(bus: Bus, tenant: str) -> None:
    """A consumer that somebody deletes, or a server forgets, is replaced, and nothing is lost or repeated."""
    writer = line(bus, tenant)
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
    """A connection to it."""
    settings = CoreSettings.model_validate({"nats_url": own_server.url, "nats_monitor_url": own_server.monitor_url})
    async with open_bus(settings, "test") as bus:
        await topology.ensure_streams(bus, replicas=1)
        yield bus


async def test_nothing_is_lost_over_a_restart(own_server: NatsServer, own_bus: Bus, tenant: str) -> None:
    """NATS is killed under a writer and a reader: every event arrives once, in order."""
    writer = line(own_bus, tenant)
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
