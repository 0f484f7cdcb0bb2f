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


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("zone_seconds", [0.0, 0.002], ids=["one machine", "three zones"])
async def test_no_call_fails_in_a_healthy_cluster(tmp_path: Path, zone_seconds: float) -> None:
    """300 jobs with inline recordings and 300 with uploads, under live sessions: no call returns INTERNAL.

    Replicas are behind their leader, the more so the farther nodes are apart.
    """
    async with running_trial(tmp_path) as trial:
        trial.cluster.spread(zone_seconds)
        await trial.begin_load()
        await asyncio.gather(
            trial.callers.call_times(CALLS, at_once=AT_ONCE, as_upload=False),
            trial.callers.call_times(CALLS, at_once=AT_ONCE, as_upload=True),
        )
        figures = await trial.finish()
    figures.save(tmp_path / "figures.json")
    require(figures, Aims())
