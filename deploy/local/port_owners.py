"""Who listens on a port: a Tiro deployment, a NATS server, or another program."""

import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.request import urlopen

import grpc
import psutil
from grpc_health.v1 import health_pb2

from deploy.local.ports import HOST, listens_on

PROBE_SECONDS_MAX = 0.4
"""How long a program may take to show what it is."""
ANSWER_BYTES_MAX = 65_536
TIRO = "a Tiro deployment"
NATS = "a NATS server"
OTHER = "another program"
TIRO_SERVICES = ("tiro.transcription.v1.TranscriptionService", "tiro.streaming.v1.StreamingService")
"""The services of ingest and of the streamer, as their health services name them."""


def owners_of(ports: Mapping[str, int]) -> dict[str, str]:
    """The kind of program that listens on each port, by the same names. All are asked at once.

    Args:
        ports: Ports on which programs listen, by name.
    """
    with ThreadPoolExecutor(max_workers=max(1, len(ports))) as threads:
        return dict(zip(ports, threads.map(owner_of, ports.values()), strict=True))


def owner_of(port: int) -> str:
    """The kind of program that listens on a port, and its process where this user may see it."""
    process = _listening_process(port)
    command = " ".join(process.cmdline()) if process else ""
    kind = TIRO if "tiro_" in command else NATS if "nats-server" in command else _kind_by_answers(port)
    return f"{kind} (process {process.pid}, {process.name()})" if process else kind


def _listening_process(port: int) -> psutil.Process | None:
    with suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.pid and listens_on(connection, port):
                return psutil.Process(connection.pid)
    return None


def _kind_by_answers(port: int) -> str:
    """The kind by the way in which the program answers: a container or another user has processes of its own."""
    probes: dict[Callable[[int], bool], str] = {
        _greets_as_nats: NATS,
        _serves_tiro: TIRO,
        _has_metrics_of_tiro: TIRO,
        _monitors_nats: NATS,
    }
    with ThreadPoolExecutor(max_workers=len(probes)) as threads:
        answers = list(threads.map(lambda probe: probe(port), probes))
    return next((kind for kind, answer in zip(probes.values(), answers, strict=True) if answer), OTHER)


def _greets_as_nats(port: int) -> bool:
    with suppress(OSError), socket.create_connection((HOST, port), PROBE_SECONDS_MAX) as connection:
        connection.settimeout(PROBE_SECONDS_MAX)
        return connection.recv(5) == b"INFO "
    return False


def _serves_tiro(port: int) -> bool:
    with grpc.insecure_channel(f"{HOST}:{port}") as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        for service in TIRO_SERVICES:
            with suppress(grpc.RpcError):
                check(health_pb2.HealthCheckRequest(service=service), timeout=PROBE_SECONDS_MAX / len(TIRO_SERVICES))
                return True
    return False


def _has_metrics_of_tiro(port: int) -> bool:
    return b"\ntiro_" in _page(port, "metrics")


def _monitors_nats(port: int) -> bool:
    return b'"server_id"' in _page(port, "varz")


def _page(port: int, path: str) -> bytes:
    with suppress(OSError, ValueError), urlopen(f"http://{HOST}:{port}/{path}", timeout=PROBE_SECONDS_MAX) as page:
        content: bytes = page.read(ANSWER_BYTES_MAX)
        return content
    return b""
