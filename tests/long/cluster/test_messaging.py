"""Reads and writes of messaging on a cluster: a writer reads its own writes, and does not conflict with itself."""

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.cluster import faults
from tests.support.cluster.nats import NatsCluster, running_cluster
from tests.support.cluster.node import Node
from tests.support.cluster.store import AUDIO
from tiro_core.blobs.factory import open_blob_store
from tiro_core.messaging import subjects
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.messaging.publishing import publish_expecting
from tiro_core.messaging.topology import ensure_streams
from tiro_core.settings import CoreSettings

PARTS = 300
ZONE_SECONDS = 0.002
"""Delay between nodes, and so of replicas behind their leader."""
FRAME_SECONDS = 0.02
"""Time between two writes, as of live audio."""
CUT_SECONDS = (3.0, 6.0, 9.0, 12.0)
"""Durations of cuts of a leader from its peers: shorter and longer than an election and a request."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[NatsCluster]:
    """Three nodes."""
    with running_cluster(tmp_path) as running:
        yield running


def settings_on(cluster: NatsCluster, url: str) -> CoreSettings:
    """Settings of a service."""
    return CoreSettings.model_validate(
        {"nats_url": url, "nats_monitor_url": ",".join(cluster.monitor_urls), "nats_replicas": len(cluster.nodes)}
    )


@asynccontextmanager
async def connected(cluster: NatsCluster, node: Node | None = None) -> AsyncIterator[Bus]:
    """A connection as of a service, to any node unless one is given. All streams exist."""
    url = cluster.url if node is None else cluster.url.split(",")[cluster.nodes.index(node)]
    async with open_bus(settings_on(cluster, url), "test") as bus:
        await ensure_streams(bus, replicas=len(cluster.nodes))
        yield bus


@pytest.mark.long
async def test_a_blob_is_read_as_soon_as_it_is_written(cluster: NatsCluster) -> None:
    """A writer reads each part right after its write, at each node, while replicas are behind."""
    await cluster.wait_until_healthy()
    cluster.spread(ZONE_SECONDS)
    for node in cluster.nodes:
        async with (
            connected(cluster, node) as bus,
            open_blob_store(settings_on(cluster, cluster.url), bus) as blobs,
        ):
            for index in range(PARTS):
                written = secrets.token_bytes(1000)
                await blobs.put_part(f"test.{node.name}", index, written)
                assert await blobs.get_part(f"test.{node.name}", index) == written


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_the_only_writer_meets_no_conflict(cluster: NatsCluster) -> None:
    """Writes of the only writer are stored once and in order, and none is refused, while leaders are cut from peers."""
    await cluster.wait_until_healthy()
    subject = subjects.live_audio("test", "only-writer")
    stop = asyncio.Event()
    written: list[int] = []

    async def write(bus: Bus) -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            last = written[-1] if written else 0
            written.append(await publish_expecting(bus, AUDIO, subject, str(number).encode(), last=last))
            await asyncio.sleep(FRAME_SECONDS)

    async with connected(cluster) as bus, asyncio.TaskGroup() as tasks:
        tasks.create_task(write(bus))
        for seconds in CUT_SECONDS:
            with faults.cut_from_peers(cluster, await cluster.leader_of(AUDIO)):
                await asyncio.sleep(seconds)
            await cluster.wait_until_healthy()
        stop.set()
    async with connected(cluster) as bus:
        stored = [await bus.jetstream.get_msg(AUDIO, seq=sequence) for sequence in written]
        count = (await bus.jetstream.stream_info(AUDIO)).state.messages
    assert [int(message.data or b"") for message in stored] == list(range(count))
