"""Faults of a node that leads something: nothing is lost, and service is back soon."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.cluster import faults
from tests.support.cluster.aims import SILENT, Aims, require
from tests.support.cluster.faults import Fault
from tests.support.cluster.nats import META
from tests.support.cluster.store import AUDIO, JOBS, TASKS
from tests.support.cluster.trial import running_trial


@dataclass(frozen=True, slots=True)
class Case:
    """A fault, its duration, the streams whose leaders it hits in turn, and the aims."""

    fault: Fault
    seconds: float
    streams: tuple[str, ...]
    aims: Aims


CASES = [
    Case(faults.killed, 3, (JOBS, AUDIO, TASKS, META), Aims()),
    Case(faults.stopped, 22, (JOBS, AUDIO, META), SILENT),
    Case(faults.cut_from_peers, 22, (AUDIO, JOBS, META), SILENT),
    Case(faults.cut_off, 22, (JOBS, AUDIO), SILENT),
    Case(faults.host_off, 22, (AUDIO, JOBS), SILENT),
    Case(faults.slow, 10, (JOBS, AUDIO), Aims()),
]


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault.__name__)
async def test_a_leader_fails(tmp_path: Path, case: Case) -> None:
    """Jobs and live sessions continue while leaders fail: those of jobs, live audio, tasks, and the meta group."""
    async with running_trial(tmp_path) as trial:
        await trial.begin_load()
        for stream in case.streams:
            await trial.strike_leader(case.fault, stream, case.seconds)
        figures = await trial.finish()
    figures.save(tmp_path / "figures.json")
    require(figures, case.aims)
