"""No call fails while all nodes are healthy."""

import asyncio
from pathlib import Path

import pytest

from tests.support.cluster.aims import Aims, require
from tests.support.cluster.trial import running_trial

CALLS = 300
"""Of each kind."""
AT_ONCE = 4
"""Callers of each kind at a time."""
ZONE_SECONDS = 0.002
"""Delay between nodes, as between zones of a region."""


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_no_call_fails_in_a_healthy_cluster(tmp_path: Path) -> None:
    """300 jobs with inline recordings and 300 with uploads, under live sessions: no call returns INTERNAL.

    Replicas are behind their leader, as far as nodes are apart.
    """
    async with running_trial(tmp_path) as trial:
        trial.cluster.spread(ZONE_SECONDS)
        await trial.begin_load()
        await asyncio.gather(
            trial.callers.call_times(CALLS, at_once=AT_ONCE, as_upload=False),
            trial.callers.call_times(CALLS, at_once=AT_ONCE, as_upload=True),
        )
        figures = await trial.finish()
    figures.save(tmp_path / "figures.json")
    require(figures, Aims())
