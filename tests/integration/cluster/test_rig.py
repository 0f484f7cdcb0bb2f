"""The cluster rig: nodes form a cluster over links, and a silent node is cut off."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import nats
import pytest
from nats.js.api import StreamConfig

from tests.support.cluster import monitoring
from tests.support.cluster.disk import NoNamespaces, small_disk
from tests.support.cluster.nats import META, running_cluster

STREAM = "RIG"
SUBJECT = "rig.words"
WORDS = 10
RESTARTS = 3
CATCH_UP_SECONDS_MAX = 30.0
SILENT_SECONDS = 0.5
"""How long the absence of a greeting is observed. A reachable node greets a client at once."""


async def greeting(url: str) -> bytes:
    """The greeting of a node to a client.

    Raises:
        TimeoutError: There is none.
    """
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        async with asyncio.timeout(SILENT_SECONDS):
            return await reader.readline()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_cluster_works_without_a_silent_node_which_catches_up(tmp_path: Path) -> None:
    """A silent node receives nothing past its links, and catches up once it is healed."""
    with running_cluster(tmp_path) as cluster:
        await cluster.wait_until_healthy()
        links = cluster.url.split(",")
        meta = await cluster.leader_of(META)
        async with await nats.connect(cluster.direct_url(meta)) as connection:
            jetstream = connection.jetstream()
            await jetstream.add_stream(StreamConfig(name=STREAM, subjects=[SUBJECT], num_replicas=3))
            leading = {await cluster.leader_of(STREAM), meta}
            silent = next(node for node in cluster.nodes if node not in leading)
            cluster.cut_off(silent)
            for number in range(WORDS):
                await jetstream.publish(SUBJECT, str(number).encode())
            assert await monitoring.message_count(silent, STREAM) == 0
            with pytest.raises(TimeoutError):
                await greeting(links[cluster.nodes.index(silent)])
            cluster.heal(silent)
            async with asyncio.timeout(CATCH_UP_SECONDS_MAX):
                while await monitoring.message_count(silent, STREAM) < WORDS:  # noqa: ASYNC110 - it has no event
                    await asyncio.sleep(0.05)
            assert (await greeting(links[cluster.nodes.index(silent)])).startswith(b"INFO")


async def test_restarted_nodes_connect_over_links_only(tmp_path: Path) -> None:
    """Nodes gossip the address of a node that joins, and must not connect past its links."""
    with running_cluster(tmp_path) as cluster:
        await cluster.wait_until_healthy()
        meta = await cluster.leader_of(META)
        follower = next(node for node in cluster.nodes if node is not meta)
        for _ in range(RESTARTS):
            follower.kill()
            cluster.start(follower)
            await cluster.wait_until_healthy()
            real_ports = {node.ports.route for node in cluster.nodes}
            for node in cluster.nodes:
                assert not await monitoring.peer_ports(node) & real_ports


def test_a_disk_is_filled_and_emptied(tmp_path: Path) -> None:
    """A full disk has no free space until the filler is removed."""
    try:
        with small_disk(tmp_path, 1) as disk:
            before = disk.free_bytes
            disk.fill()
            assert disk.free_bytes == 0
            disk.free()
            assert disk.free_bytes == before > 0
    except NoNamespaces as error:
        pytest.skip(f"NO DISK WAS TRIED: this machine does not allow user namespaces ({error})")
