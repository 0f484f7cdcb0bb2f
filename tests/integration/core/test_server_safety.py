"""The check of a NATS server or cluster: one that may lose acknowledged messages is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster.nats import NatsCluster, running_cluster
from tests.support.nats import running_nats
from tiro_core.messaging.monitoring.monitor import ServerMonitor
from tiro_core.messaging.monitoring.safety import UnsafeServer, require_safe_server
from tiro_core.settings import CoreSettings


async def _require(**settings: object) -> None:
    wanted = CoreSettings.model_validate(settings)
    await require_safe_server(wanted, ServerMonitor(wanted.nats_monitor_url))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[NatsCluster]:
    """Three nodes that flush."""
    with running_cluster(tmp_path) as cluster:
        yield cluster


async def test_a_server_that_flushes_is_accepted(core_settings: CoreSettings) -> None:
    """A server with `sync_interval: always` is accepted."""
    await _require(nats_monitor_url=core_settings.nats_monitor_url)


async def test_a_server_that_does_not_flush_is_refused(tmp_path: Path) -> None:
    """NATS's default is refused with the setting that is needed, unless the deployment allows it."""
    with running_nats(tmp_path, sync_interval="2m") as server:
        with pytest.raises(UnsafeServer, match="sync_interval: always"):
            await _require(nats_monitor_url=server.monitor_url)
        await _require(nats_monitor_url=server.monitor_url, allow_unsafe_nats=True)


async def test_a_server_whose_monitor_does_not_answer_is_refused() -> None:
    """A server whose setting is unknown is refused."""
    with pytest.raises(UnsafeServer, match="does not answer"):
        await _require(nats_monitor_url="http://127.0.0.1:1")


async def test_the_free_space_is_reported(core_settings: CoreSettings) -> None:
    """The free space of the store is within its limit."""
    state = await ServerMonitor(core_settings.nats_monitor_url).state()
    assert 0 < state.free_bytes <= 16 * 1024**3
    assert state.cluster_size == 1


async def test_a_cluster_that_flushes_is_accepted(cluster: NatsCluster) -> None:
    """All nodes are checked. With one node down a majority is enough, and the free space is known."""
    await cluster.wait_until_healthy()
    urls = ",".join(cluster.monitor_urls)
    state = await ServerMonitor(urls).state()
    assert sorted(node.name for node in state.nodes) == ["n0", "n1", "n2"]
    assert state.cluster_size == 3
    cluster.nodes[0].kill()
    await _require(nats_monitor_url=urls, nats_replicas=3)
    state = await ServerMonitor(urls).state()
    assert sorted(node.name for node in state.nodes) == ["n1", "n2"]
    assert state.silent == (cluster.monitor_urls[0],)
    assert state.free_bytes > 0


async def test_a_silent_node_does_not_hide_the_others(cluster: NatsCluster) -> None:
    """A monitoring port that accepts connections and does not answer times out."""
    await cluster.wait_until_healthy()
    cluster.cut_off(cluster.nodes[1])
    state = await ServerMonitor(",".join(cluster.monitor_urls)).state()
    assert sorted(node.name for node in state.nodes) == ["n0", "n2"]


async def test_a_cluster_without_a_known_majority_is_refused(cluster: NatsCluster) -> None:
    """With one address of three nodes the cluster is refused, with the addresses that are needed."""
    await cluster.wait_until_healthy()
    with pytest.raises(UnsafeServer, match="only 1 of its 3 nodes answered; name the monitoring address of each"):
        await _require(nats_monitor_url=cluster.monitor_urls[0], nats_replicas=3)
    await _require(nats_monitor_url=cluster.monitor_urls[0], nats_replicas=3, allow_unsafe_nats=True)


async def test_a_cluster_that_does_not_flush_is_refused(tmp_path: Path) -> None:
    """Three replicas that do not flush are refused: a power cut may lose all of them."""
    with running_cluster(tmp_path, sync_interval="2m") as cluster:
        await cluster.wait_until_healthy()
        urls = ",".join(cluster.monitor_urls)
        with pytest.raises(UnsafeServer, match="sync_interval: always"):
            await _require(nats_monitor_url=urls, nats_replicas=3)
        await _require(nats_monitor_url=urls, nats_replicas=3, allow_unsafe_nats=True)
