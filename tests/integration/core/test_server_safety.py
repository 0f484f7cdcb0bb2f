"""Services refuse a NATS server, or a cluster, that would lose what it has acknowledged."""

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


async def test_a_server_that_flushes_is_taken(core_settings: CoreSettings) -> None:
    """`sync_interval: always` is what is asked for."""
    await _require(nats_monitor_url=core_settings.nats_monitor_url)


async def test_a_server_that_does_not_flush_is_refused(tmp_path: Path) -> None:
    """NATS's default is refused, with what to do about it, unless the deployment accepts it."""
    with running_nats(tmp_path, sync_interval="2m") as server:
        with pytest.raises(UnsafeServer, match="sync_interval: always"):
            await _require(nats_monitor_url=server.monitor_url)
        await _require(nats_monitor_url=server.monitor_url, allow_unsafe_nats=True)


async def test_a_server_that_cannot_be_asked_is_refused() -> None:
    """Not knowing is not good enough."""
    with pytest.raises(UnsafeServer, match="does not answer"):
        await _require(nats_monitor_url="http://127.0.0.1:1")


async def test_the_free_space_is_known(core_settings: CoreSettings) -> None:
    """The store's free space is what its limit leaves, and no more than the disk has."""
    state = await ServerMonitor(core_settings.nats_monitor_url).state()
    assert 0 < state.free_bytes <= 16 * 1024**3
    assert state.cluster_size == 1


async def test_a_cluster_that_flushes_is_taken(cluster: NatsCluster) -> None:
    """Every node is asked. One that is away does not hide the others: a majority flushes, and the room is known."""
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


async def test_a_node_that_is_silent_does_not_hide_the_others(cluster: NatsCluster) -> None:
    """A monitoring port that takes connections and says nothing is given up."""
    await cluster.wait_until_healthy()
    cluster.cut_off(cluster.nodes[1])
    state = await ServerMonitor(",".join(cluster.monitor_urls)).state()
    assert sorted(node.name for node in state.nodes) == ["n0", "n2"]


async def test_a_cluster_of_which_too_little_is_known_is_refused(cluster: NatsCluster) -> None:
    """One address of three is not enough, and the refusal says what to name."""
    await cluster.wait_until_healthy()
    with pytest.raises(UnsafeServer, match="only 1 of its 3 nodes answered; name the monitoring address of each"):
        await _require(nats_monitor_url=cluster.monitor_urls[0], nats_replicas=3)
    await _require(nats_monitor_url=cluster.monitor_urls[0], nats_replicas=3, allow_unsafe_nats=True)


async def test_a_cluster_that_does_not_flush_is_refused(tmp_path: Path) -> None:
    """Replicas that share a power supply lose together what none of them has flushed."""
    with running_cluster(tmp_path, sync_interval="2m") as cluster:
        await cluster.wait_until_healthy()
        urls = ",".join(cluster.monitor_urls)
        with pytest.raises(UnsafeServer, match="sync_interval: always"):
            await _require(nats_monitor_url=urls, nats_replicas=3)
        await _require(nats_monitor_url=urls, nats_replicas=3, allow_unsafe_nats=True)
