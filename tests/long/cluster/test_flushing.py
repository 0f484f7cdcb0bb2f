"""Services refuse a cluster that may lose acknowledged jobs in a power cut, as they do a single server."""

from pathlib import Path

import pytest

from tests.support.cluster.deployment import environment_on
from tests.support.cluster.nats import running_cluster
from tests.support.processes import ServiceProcess
from tiro_core.startup import EXIT_UNSAFE

REFUSED_SECONDS_MAX = 20.0
"""Limit of a service's start. It takes 2 s."""


@pytest.mark.long
@pytest.mark.parametrize("service", ["ingest", "streamer", "transcriber"])
async def test_a_cluster_that_does_not_flush_is_refused(tmp_path: Path, service: str) -> None:
    """Three replicas in page caches are lost together when the power fails."""
    with running_cluster(tmp_path, sync_interval="2m") as cluster:
        await cluster.wait_until_healthy()
        process = ServiceProcess(f"tiro_{service}", environment_on(cluster))
        try:
            process.start()
            process.wait_for("refused_to_start", REFUSED_SECONDS_MAX)
            assert process.wait() == EXIT_UNSAFE
        finally:
            process.close()
