"""The whole cluster dies and comes back, and Tiro starts on a part of it."""

from pathlib import Path

import pytest

from tests.support.cluster import faults
from tests.support.cluster.aims import Aims, require, without_majority
from tests.support.cluster.trial import running_trial

DOWN_SECONDS = 4.0
TIMES = 2


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_all_nodes_are_killed(tmp_path: Path) -> None:
    """All three at once, under jobs and live sessions, and again."""
    async with running_trial(tmp_path) as trial:
        await trial.begin_load()
        for _ in range(TIMES):
            await trial.strike(faults.killed, trial.cluster.nodes, DOWN_SECONDS, because="all")
        figures = await trial.finish()
    figures.save(tmp_path / "figures.json")
    require(figures, without_majority(DOWN_SECONDS))


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_two_of_three_nodes_are_enough_to_start(tmp_path: Path) -> None:
    """Services begin on an empty cluster of which one node is not there yet, serve, and go on when it comes."""
    async with running_trial(tmp_path, nodes=2) as trial:
        await trial.begin_load()
        trial.cluster.start(trial.cluster.nodes[-1])
        await trial.cluster.wait_until_healthy()
        figures = await trial.finish()
    figures.save(tmp_path / "figures.json")
    require(figures, Aims())
