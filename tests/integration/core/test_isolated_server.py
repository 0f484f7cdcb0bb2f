"""A server that is cut off from its peers, but not from its clients: services leave it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.support.cluster.nats import NatsCluster, running_cluster
from tests.support.cluster.node import Node
from tests.support.log_lines import logged
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.messaging.monitoring.liveness import stream_faults
from tiro_core.messaging.topology import ensure_streams
from tiro_core.server.checks import add_streams_check
from tiro_core.server.readiness import Readiness
from tiro_core.settings import CoreSettings

DONE_SECONDS_MAX = 60.0
ANSWER_SECONDS_MAX = 2.0


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[NatsCluster]:
    """Three nodes."""
    with running_cluster(tmp_path) as cluster:
        yield cluster


@pytest.fixture
async def bus(cluster: NatsCluster) -> AsyncIterator[Bus]:
    """A connection to a healthy cluster in which every stream has three replicas."""
    await cluster.wait_until_healthy()
    async with AsyncExitStack() as stack:
        settings = CoreSettings.model_validate({"nats_url": cluster.url})
        bus = await stack.enter_async_context(open_bus(settings, "test"))
        await ensure_streams(bus, 3)
        yield bus


def _server_of(bus: Bus, cluster: NatsCluster) -> Node:
    """The node that the connection leads to."""
    url = bus.client.connected_url
    assert url is not None
    return cluster.nodes[cluster.url.split(",").index(f"nats://{url.netloc}")]


async def test_a_service_leaves_a_server_that_is_cut_off_from_its_peers(cluster: NatsCluster, bus: Bus) -> None:
    """Its streams answer through another server while the cut lasts, so that it need not even report NOT_SERVING."""
    states: asyncio.Queue[bool] = asyncio.Queue()
    readiness = Readiness()
    streams = [topology.TASKS, topology.BLOBS]
    add_streams_check(readiness, bus, streams)
    checking = asyncio.create_task(readiness.run(states.put))
    async with asyncio.timeout(DONE_SECONDS_MAX):
        assert await states.get()
        isolated = _server_of(bus, cluster)
        with logged("nats_connected") as connected:
            cluster.cut_from_peers(isolated)
            await connected.wait()
        assert _server_of(bus, cluster) is not isolated
        while await stream_faults(bus, streams, ANSWER_SECONDS_MAX):  # the server may have led them: an election
            continue
    checking.cancel()
    await asyncio.wait((checking,))


async def test_a_server_that_is_cut_off_from_its_peers_is_noticed(cluster: NatsCluster, bus: Bus) -> None:
    """Streams that it leads are not usable although it answers for them, as long as the cut lasts."""
    isolated = _server_of(bus, cluster)
    cluster.cut_from_peers(isolated)
    async with asyncio.timeout(DONE_SECONDS_MAX):
        for stream in (topology.TASKS, topology.BLOBS, topology.FETCHES, topology.CALLBACKS):
            while not await stream_faults(bus, [stream], ANSWER_SECONDS_MAX):
                continue


async def test_a_connection_to_one_server_stays(bus: Bus, cluster: NatsCluster) -> None:
    """A service that knows one server has no other one to change to."""
    settings = CoreSettings.model_validate({"nats_url": cluster.url.split(",")[0]})
    async with open_bus(settings, "test") as single:
        assert not await single.change_server()
        assert single.is_connected
