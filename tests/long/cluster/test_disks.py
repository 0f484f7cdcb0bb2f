"""Full disks: accepted work is kept, and all works again once an operator has freed space."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.cluster import faults
from tests.support.cluster.aims import Aims, require, without_majority
from tests.support.cluster.disk import NoNamespaces, small_disk
from tests.support.cluster.store import JOBS
from tests.support.cluster.trial import running_trial

DISK_MIB = 192
FULL_SECONDS = 25.0
FULL = "RESOURCE_EXHAUSTED STORAGE_FULL"
AUDIO_LOST = "DATA_LOSS the service has lost audio that it had acknowledged"
"""NATS acknowledges live audio before it writes it, so a single server with a full disk may lose the last frames."""


@pytest.fixture(autouse=True)
def disks(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip if this machine allows no disks."""
    try:
        with small_disk(tmp_path_factory.mktemp("disk"), 1):
            pass
    except NoNamespaces as error:
        pytest.skip(f"NO FULL DISK WAS TRIED: this machine does not allow user namespaces ({error})")


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_one_disk_is_full(tmp_path: Path) -> None:
    """The other two nodes are a majority: the effect is that of a leader's failure."""
    async with running_trial(tmp_path, disk_mib=DISK_MIB) as trial:
        await trial.begin_load()
        await trial.strike_leader(faults.disk_full, JOBS, FULL_SECONDS)
        figures = await trial.finish()
    figures.save(tmp_path / "figures.json")
    require(figures, Aims())


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_all_disks_are_full(tmp_path: Path) -> None:
    """Nothing can be accepted meanwhile. Accepted jobs are done afterwards."""
    async with running_trial(tmp_path, disk_mib=DISK_MIB) as trial:
        await trial.begin_load()
        await trial.strike(faults.disk_full, trial.cluster.nodes, FULL_SECONDS, because="all")
        figures = await trial.finish()
    figures.save(tmp_path / "figures.json")
    require(figures, without_majority(FULL_SECONDS))


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_the_only_disk_is_full(tmp_path: Path) -> None:
    """On a single server live sessions may end, and their clients get the reason. Accepted jobs are done afterwards."""
    async with running_trial(tmp_path, nodes=1, disk_mib=DISK_MIB) as trial:
        await trial.begin_load()
        await trial.strike(faults.disk_full, trial.cluster.nodes, FULL_SECONDS, because="the only one")
        figures = await trial.finish()
    figures.save(tmp_path / "figures.json")
    bounds = without_majority(FULL_SECONDS)
    require(figures, replace(bounds, sessions_may_end_with=frozenset({FULL, AUDIO_LOST})))
