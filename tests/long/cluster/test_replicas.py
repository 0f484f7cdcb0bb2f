"""From one replica to three: the setting is changed, and the services are restarted."""

from pathlib import Path

import pytest

from tests.support.cluster import faults
from tests.support.cluster.aims import Aims, require
from tests.support.cluster.deployment import running_deployment
from tests.support.cluster.nats import running_cluster
from tests.support.cluster.store import JOBS, open_store
from tests.support.cluster.trial import trial_of


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_from_one_replica_to_three(tmp_path: Path) -> None:
    """No data is lost by the change. Afterwards all streams have three replicas, so a node may fail."""
    with running_cluster(tmp_path) as cluster:
        await cluster.wait_until_healthy()
        async with running_deployment(cluster, tmp_path / "logs-one", {"TIRO_NATS_REPLICAS": "1"}) as one:
            await one.wait_until_ready()
            async with trial_of(cluster, one) as before:
                await before.begin_load()
                figures = await before.finish()
        require(figures, Aims())
        async with running_deployment(cluster, tmp_path / "logs-three") as three:
            await three.wait_until_ready()
            async with open_store(cluster) as store:
                assert set((await store.replicas()).values()) == {3}
            async with trial_of(cluster, three, promised=before.callers.accepted) as after:
                await after.begin_load()
                await after.strike_leader(faults.killed, JOBS, 3)
                figures = await after.finish()
    figures.save(tmp_path / "figures.json")
    require(figures, Aims())
