"""Services refuse a cluster that may lose acknowledged jobs in a power cut, as they do a single server."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.cluster.deployment import environment_on
from tests.support.cluster.nats import running_cluster
from tests.support.processes import ServiceProcess
from tiro_core.startup import EXIT_UNSAFE

REFUSED_SECONDS_MAX = 20.0
"""Limit of a service's start. It takes 2 s."""
SERVICES = ("ingest", "streamer", "transcriber")


@pytest.mark.long
async def test_a_cluster_that_does_not_flush_is_refused(tmp_path: Path) -> None:
    """Three replicas in page caches are lost together when the power fails."""
    with running_cluster(tmp_path, sync_interval="2m") as cluster, ExitStack() as stack:
        await cluster.wait_until_healthy()
        processes = [ServiceProcess(f"tiro_{service}", environment_on(cluster)) for service in SERVICES]
        for process in processes:
            stack.callback(process.close)
            process.start()
        for process in processes:
            process.wait_for("refused_to_start", REFUSED_SECONDS_MAX)
            assert process.wait() == EXIT_UNSAFE
