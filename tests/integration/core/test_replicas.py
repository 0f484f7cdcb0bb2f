"""From one copy of every stream to three: an update, also while live sessions and several services are under way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from nats.js import JetStreamContext
from nats.js.api import PersistMode

from tests.support.cluster.nats import NatsCluster, running_cluster
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.messaging.operations import StoredMessage
from tiro_core.messaging.publishing import publish, publish_expecting
from tiro_core.messaging.reading.ordered_consumer import OrderedConsumer
from tiro_core.messaging.streams.audio import PARKED_SUBJECT
from tiro_core.messaging.topology import ensure_streams, replicate_audio_stream
from tiro_core.settings import CoreSettings

SERVICES = 4
FRAMES = 50
SUBJECT = "tiro.live.acme.session.audio"
DONE_SECONDS_MAX = 60.0


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[NatsCluster]:
    """Three nodes that are ready."""
    with running_cluster(tmp_path) as cluster:
        await cluster.wait_until_healthy()
        yield cluster


async def _connect(stack: AsyncExitStack, cluster: NatsCluster) -> Bus:
    settings = CoreSettings.model_validate({"nats_url": cluster.url})
    return await stack.enter_async_context(open_bus(settings, "test"))


@pytest.fixture
async def bus(cluster: NatsCluster) -> AsyncIterator[Bus]:
    """A connection to a cluster in which every stream has one copy."""
    async with AsyncExitStack() as stack:
        bus = await _connect(stack, cluster)
        await ensure_streams(bus, 1)
        yield bus


async def _copies(bus: Bus) -> dict[str, int]:
    return {str(info.config.name): info.config.num_replicas or 0 for info in await bus.jetstream.streams_info()}


async def test_every_stream_gets_its_copies(bus: Bus) -> None:
    """The stream of live audio too, which was written behind its acknowledgements: its numbers go on."""
    before = await publish(bus, SUBJECT, b"old")
    await bus.jetstream.purge_stream(topology.LIVE_AUDIO)
    await ensure_streams(bus, 3)
    assert set((await _copies(bus)).values()) == {3}
    audio = await bus.jetstream.stream_info(topology.LIVE_AUDIO)
    assert audio.config.persist_mode != PersistMode.ASYNC
    assert await publish(bus, SUBJECT, b"new") == before + 1
    await ensure_streams(bus, 3)
    assert (await bus.jetstream.stream_info(topology.LIVE_AUDIO)).state.messages == 1


async def test_live_audio_is_not_taken_away(bus: Bus) -> None:
    """While a session has audio in the stream it stays as it is; services start, and it follows by itself."""
    await publish(bus, SUBJECT, b"speech")
    await ensure_streams(bus, 3)
    assert {name for name, copies in (await _copies(bus)).items() if copies == 1} == {topology.LIVE_AUDIO}
    assert (await bus.jetstream.get_last_msg(topology.LIVE_AUDIO, SUBJECT)).data == b"speech"
    assert await publish(bus, SUBJECT, b"more") == 2
    await bus.jetstream.purge_stream(topology.LIVE_AUDIO)
    async with asyncio.timeout(DONE_SECONDS_MAX):
        await replicate_audio_stream(bus, 3)
    assert set((await _copies(bus)).values()) == {3}


async def test_several_services_at_once(cluster: NatsCluster, bus: Bus) -> None:
    """Services that start together bring the streams up to date once, and a writer and a reader go on meanwhile."""
    read: list[bytes] = []
    async with AsyncExitStack() as stack:
        services = [await _connect(stack, cluster) for _ in range(SERVICES)]
        writer, reader = await _connect(stack, cluster), await _connect(stack, cluster)

        async def write() -> None:
            last = 0
            for number in range(FRAMES):
                last = await publish_expecting(writer, topology.LIVE_AUDIO, SUBJECT, str(number).encode(), last=last)

        async def follow() -> None:
            async with OrderedConsumer(reader, topology.LIVE_AUDIO, SUBJECT) as messages:
                async for message in messages:
                    if isinstance(message, StoredMessage):
                        read.append(message.data)
                    if len(read) == FRAMES:
                        return

        async with asyncio.timeout(DONE_SECONDS_MAX), asyncio.TaskGroup() as tasks:
            tasks.create_task(follow())
            for service in services:
                tasks.create_task(ensure_streams(service, 3))
            tasks.create_task(write())
    assert read == [str(number).encode() for number in range(FRAMES)]
    copies = await _copies(bus)
    assert {name for name, count in copies.items() if count == 1} <= {topology.LIVE_AUDIO}, copies


async def test_a_session_that_begins_meanwhile(cluster: NatsCluster, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that comes while the stream is replaced, by one of several services, waits for the new one."""
    going = asyncio.Event()
    replaced = 0
    delete = JetStreamContext.delete_stream

    async def delete_and_note(self: JetStreamContext, name: str) -> bool:
        nonlocal replaced
        if name == topology.LIVE_AUDIO:
            replaced += 1
            going.set()
            await asyncio.sleep(0.2)  # in which the writer finds that the stream has its subjects no more
        return await delete(self, name)

    monkeypatch.setattr(JetStreamContext, "delete_stream", delete_and_note)
    async with AsyncExitStack() as stack:
        services = [await _connect(stack, cluster) for _ in range(SERVICES)]
        async with asyncio.timeout(DONE_SECONDS_MAX), asyncio.TaskGroup() as tasks:
            for service in services:
                tasks.create_task(ensure_streams(service, 3))
            await going.wait()
            assert await publish_expecting(bus, topology.LIVE_AUDIO, SUBJECT, b"speech", last=0) == 1
    assert replaced == 1
    assert set((await _copies(bus)).values()) == {3}


@pytest.mark.parametrize("messages", [0, 1])
async def test_a_service_that_died_in_the_middle(bus: Bus, messages: int) -> None:
    """The stream that it took the subjects from is found by the next service: replaced, or given them back."""
    for _ in range(messages):
        await publish(bus, SUBJECT, b"speech")
    info = await bus.jetstream.stream_info(topology.LIVE_AUDIO)
    await bus.jetstream.update_stream(replace(info.config, subjects=[PARKED_SUBJECT]))
    await ensure_streams(bus, 3)
    assert await publish(bus, SUBJECT, b"speech") == messages + 1
    assert (await _copies(bus))[topology.LIVE_AUDIO] == (1 if messages else 3)


async def test_a_service_with_old_settings_takes_no_copies_away(bus: Bus) -> None:
    """One that still asks for a single copy starts, and the streams keep theirs."""
    await ensure_streams(bus, 3)
    await ensure_streams(bus, 1)
    assert set((await _copies(bus)).values()) == {3}
