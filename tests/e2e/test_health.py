"""Health checks follow the state of NATS and S3: a silent network, a full disk, an S3 server that is down."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.e2e.conftest import environment
from tests.support.cluster.link import Mode
from tests.support.cluster.nats import NatsCluster, running_cluster
from tests.support.cluster.proxy import Proxy, running_proxy
from tests.support.nats import NatsServer
from tests.support.processes import ServiceProcess, running
from tests.support.s3 import running_s3
from tests.support.stack import READY

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
CHANGE_SECONDS_MAX = 120.0
DISK_MIB = 64
LISTENING = {"ingest": "listening", "streamer": "listening", "transcriber": "health_listening"}


@contextmanager
def _health(service: ServiceProcess, name: str) -> Iterator[Iterator[int]]:
    """The health answer of a service, and each change of it."""
    line = service.wait_for(LISTENING[name])
    with grpc.insecure_channel(line.get("address") or f"127.0.0.1:{line['port']}") as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)  # Any, because its types lack Watch
        answers = stub.Watch(health_pb2.HealthCheckRequest(), timeout=CHANGE_SECONDS_MAX)
        yield (answer.status for answer in answers)


@pytest.fixture
def proxy(nats_server: NatsServer) -> Iterator[Proxy]:
    """A proxy whose links can go silent."""
    with running_proxy() as proxy:
        yield proxy


@dataclass
class Watched:
    """Services that run, and the health answer of each with its changes."""

    services: Mapping[str, ServiceProcess]
    answers: Mapping[str, Iterator[int]]

    def all_become(self, status: int) -> None:
        """Wait until the next health answer of each service, which must be this one."""
        for name, answers in self.answers.items():
            assert next(answers) == status, name


@contextmanager
def _watched(settings: Mapping[str, str], names: Iterable[str] = READY) -> Iterator[Watched]:
    """Services that run and are ready."""
    with ExitStack() as stack:
        services = {name: stack.enter_context(running(f"tiro_{name}", settings, ready=READY[name])) for name in names}
        answers = {name: stack.enter_context(_health(service, name)) for name, service in services.items()}
        watched = Watched(services, answers)
        watched.all_become(SERVING)
        yield watched


def test_a_silent_nats(proxy: Proxy, nats_server: NatsServer) -> None:
    """A service whose NATS is silent becomes NOT_SERVING and logs why; it is SERVING again once the network is back."""
    port = proxy.open("nats")
    proxy.set_target("nats", urlsplit(nats_server.url).port or 0)
    with _watched(environment(nats_server, TIRO_NATS_URL=f"nats://127.0.0.1:{port}")) as watched:
        proxy.set_mode("nats", Mode.SILENT)
        watched.all_become(NOT_SERVING)
        for service in watched.services.values():
            assert "nats" in service.wait_for("not_ready")["reasons"]
            service.wait_for("nats_disconnected")
        proxy.set_mode("nats", Mode.FORWARD)
        watched.all_become(SERVING)
        for service in watched.services.values():
            service.wait_for("ready_again")
            assert service.stop() == 0


@pytest.fixture
def small(tmp_path: Path) -> Iterator[NatsCluster]:
    """A single server on a small disk."""
    with running_cluster(tmp_path, size=1, disk_mib=DISK_MIB) as single:
        yield single


def _store_of(single: NatsCluster, nats: NatsServer) -> dict[str, str]:
    """The environment of a service on this server."""
    return environment(
        nats,
        TIRO_NATS_URL=single.url,
        TIRO_NATS_MONITOR_URL=single.monitor_urls[0],
        TIRO_STORAGE_RESERVE_BYTES="0",
    )


@pytest.mark.long
def test_a_disk_that_was_full(small: NatsCluster, nats_server: NatsServer) -> None:
    """After a full disk nats-server writes no streams: services are NOT_SERVING until it is restarted, and log that."""
    [node], [disk] = small.nodes, small.disks
    with _watched(_store_of(small, nats_server)) as watched:
        disk.fill()  # the transcriber renews its record every 2 s
        watched.all_become(NOT_SERVING)
        disk.free()
        for service in watched.services.values():
            reasons = service.wait_for("not_ready")["reasons"]
            assert "restart nats-server (n0)" in reasons["nats_store"], reasons
        node.kill()
        small.start(node)
        watched.all_become(SERVING)


@pytest.mark.long
def test_an_s3_server_that_is_down(tmp_path: Path, nats_server: NatsServer) -> None:
    """Ingest and workers are NOT_SERVING while the S3 server of their recordings is down."""
    with (
        running_s3(tmp_path) as s3,
        _watched(environment(nats_server, **s3.environment), ("ingest", "transcriber")) as watched,
    ):
        s3.kill()
        watched.all_become(NOT_SERVING)
        for service in watched.services.values():
            assert "blobs" in service.wait_for("not_ready")["reasons"]
        s3.start()
        watched.all_become(SERVING)
