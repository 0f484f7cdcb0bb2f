"""Restarts: of the whole cluster, and of services while a node is missing."""

import asyncio
from pathlib import Path

import pytest

from tests.support.cluster import faults
from tests.support.cluster.aims import Aims, require, without_majority
from tests.support.cluster.deployment import running_deployment
from tests.support.cluster.nats import running_cluster
from tests.support.cluster.store import JOBS
from tests.support.cluster.trial import running_trial, trial_of

DOWN_SECONDS = 4.0
TIMES = 2
ALONE_SECONDS = 5.0
"""How long services are connected while a node is missing."""


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_all_nodes_are_killed(tmp_path: Path) -> None:
    """All three nodes at once, twice, under jobs and live sessions."""
    async with running_trial(tmp_path) as trial:
        await trial.begin_load()
        for _ in range(TIMES):
            await trial.strike(faults.killed, trial.cluster.nodes, DOWN_SECONDS, because="all")
        figures = await trial.finish()
    figures.save(tmp_path / "figures.json")
    require(figures, without_majority(DOWN_SECONDS))


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_services_start_while_a_node_is_down(tmp_path: Path) -> None:
    """Two of three nodes are enough for services that restart, as in an update."""
    with running_cluster(tmp_path) as cluster:
        await cluster.wait_until_healthy()
        async with running_deployment(cluster, tmp_path / "logs-before") as before:
            await before.wait_until_ready()
        down = await cluster.leader_of(JOBS)
        down.kill()
        async with running_deployment(cluster, tmp_path / "logs-after") as after:
            await after.wait_until_ready()
            async with trial_of(cluster, after) as trial:
                await trial.begin_load()
                cluster.start(down)
                await cluster.wait_until_healthy()
                figures = await trial.finish()
    figures.save(tmp_path / "figures.json")
    require(figures, Aims())


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_services_wait_for_the_third_node_of_a_new_cluster(tmp_path: Path) -> None:
    """NATS creates streams with three replicas on three nodes only. Services that start before the third node wait."""
    with running_cluster(tmp_path, started=2) as cluster:
        await cluster.wait_until_healthy()
        async with running_deployment(cluster, tmp_path / "logs") as deployment:
            await deployment.wait_until(lambda member: member.is_connected)
            await asyncio.sleep(ALONE_SECONDS)
            assert deployment.exited == []
            cluster.start(cluster.nodes[-1])
            await deployment.wait_until_ready()
            async with trial_of(cluster, deployment) as trial:
                await trial.begin_load()
                figures = await trial.finish()
    figures.save(tmp_path / "figures.json")
    require(figures, Aims())
