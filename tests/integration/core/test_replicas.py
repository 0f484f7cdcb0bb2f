"""The change from one replica of every stream to three, also under live sessions and several services."""

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
    """Three healthy nodes."""
    with running_cluster(tmp_path) as cluster:
        await cluster.wait_until_healthy()
        yield cluster


async def _connect(stack: AsyncExitStack, cluster: NatsCluster) -> Bus:
    settings = CoreSettings.model_validate({"nats_url": cluster.url})
    return await stack.enter_async_context(open_bus(settings, "test"))


@pytest.fixture
async def bus(cluster: NatsCluster) -> AsyncIterator[Bus]:
    """A connection to a cluster in which every stream has one replica."""
    async with AsyncExitStack() as stack:
        bus = await _connect(stack, cluster)
        await ensure_streams(bus, 1)
        yield bus


async def _replica_counts(bus: Bus) -> dict[str, int]:
    return {str(info.config.name): info.config.num_replicas or 0 for info in await bus.jetstream.streams_info()}


async def test_every_stream_gets_its_replicas(bus: Bus) -> None:
    """Every stream gets three replicas. The stream of live audio is replaced and continues its sequence numbers."""
    before = await publish(bus, SUBJECT, b"old")
    await bus.jetstream.purge_stream(topology.LIVE_AUDIO)
    await ensure_streams(bus, 3)
    assert set((await _replica_counts(bus)).values()) == {3}
    audio = await bus.jetstream.stream_info(topology.LIVE_AUDIO)
    assert audio.config.persist_mode != PersistMode.ASYNC
    assert await publish(bus, SUBJECT, b"new") == before + 1
    await ensure_streams(bus, 3)
    assert (await bus.jetstream.stream_info(topology.LIVE_AUDIO)).state.messages == 1


async def test_a_stream_with_live_audio_is_not_replaced(bus: Bus) -> None:
    """The stream keeps one replica while a session has audio in it. It gets three once it is empty."""
    await publish(bus, SUBJECT, b"speech")
    await ensure_streams(bus, 3)
    assert {name for name, count in (await _replica_counts(bus)).items() if count == 1} == {topology.LIVE_AUDIO}
    assert (await bus.jetstream.get_last_msg(topology.LIVE_AUDIO, SUBJECT)).data == b"speech"
    assert await publish(bus, SUBJECT, b"more") == 2
    await bus.jetstream.purge_stream(topology.LIVE_AUDIO)
    async with asyncio.timeout(DONE_SECONDS_MAX):
        await replicate_audio_stream(bus, 3)
    assert set((await _replica_counts(bus)).values()) == {3}


async def test_several_services_start_at_once(cluster: NatsCluster, bus: Bus) -> None:
    """Services that start at once change the streams, while a writer and a reader continue."""
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
    counts = await _replica_counts(bus)
    assert {name for name, count in counts.items() if count == 1} <= {topology.LIVE_AUDIO}, counts


async def test_a_session_that_starts_during_the_replacement(
    cluster: NatsCluster, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer waits while one of several services replaces the stream, which happens once."""
    deleting = asyncio.Event()
    replaced = 0
    delete = JetStreamContext.delete_stream

    async def delete_and_note(self: JetStreamContext, name: str) -> bool:
        nonlocal replaced
        if name == topology.LIVE_AUDIO:
            replaced += 1
            deleting.set()
            await asyncio.sleep(0.2)  # in this time the writer finds no stream for its subject
        return await delete(self, name)

    monkeypatch.setattr(JetStreamContext, "delete_stream", delete_and_note)
    async with AsyncExitStack() as stack:
        services = [await _connect(stack, cluster) for _ in range(SERVICES)]
        async with asyncio.timeout(DONE_SECONDS_MAX), asyncio.TaskGroup() as tasks:
            for service in services:
                tasks.create_task(ensure_streams(service, 3))
            await deleting.wait()
            assert await publish_expecting(bus, topology.LIVE_AUDIO, SUBJECT, b"speech", last=0) == 1
    assert replaced == 1
    assert set((await _replica_counts(bus)).values()) == {3}


@pytest.mark.parametrize("messages", [0, 1])
async def test_a_replacement_whose_service_died_is_finished(bus: Bus, messages: int) -> None:
    """A stream without its subjects is replaced by the next service if it is empty, else it gets its subjects back."""
    for _ in range(messages):
        await publish(bus, SUBJECT, b"speech")
    info = await bus.jetstream.stream_info(topology.LIVE_AUDIO)
    await bus.jetstream.update_stream(replace(info.config, subjects=[PARKED_SUBJECT]))
    await ensure_streams(bus, 3)
    assert await publish(bus, SUBJECT, b"speech") == messages + 1
    assert (await _replica_counts(bus))[topology.LIVE_AUDIO] == (1 if messages else 3)


async def test_a_service_with_fewer_replicas_does_not_reduce_them(bus: Bus) -> None:
    """A service whose setting is one replica starts, and streams keep three."""
    await ensure_streams(bus, 3)
    await ensure_streams(bus, 1)
    assert set((await _replica_counts(bus)).values()) == {3}
