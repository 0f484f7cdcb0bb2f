"""Tiro on one machine: its environment, its processes under supervisord, and waiting until they are ready."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2

from tiro_engines.models.folder import default_models_dir

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(sys.executable).parent
CONFIG = Path(__file__).with_name("supervisord.conf")
MODELS = Path(os.environ.get("TIRO_MODELS_DIR") or default_models_dir())
"""Where the services and `tiro models` keep models."""
READY_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 60.0
CHECK_SECONDS = 0.1

SERVICES = {"ingest": 50051, "streamer": 50052, "transcriber": 50053}
"""The services and the port of each one's gRPC health service."""
NATS_PORT = 4222
NATS_MONITOR_PORT = 8222
NATS_MEMORY = "256MiB"
"""The memory limit of nats-server (Go's GOMEMLIMIT).

Without it, purging the audio of a long live session at its end takes as much memory as the store has live audio.
"""
METRICS_PORTS = {"ingest": 9101, "streamer": 9102, "transcriber": 9103}


class NotReady(Exception):  # noqa: N818 - reads as the condition it reports
    """A service did not become ready."""


def free_port() -> int:
    """A free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(folder: Path, *, any_ports: bool = False) -> dict[str, str]:
    """The environment of the processes: everything on loopback, without authentication, data in `folder`.

    Args:
        folder: Where data and logs go.
        any_ports: Take free ports instead of the usual ones, which another Tiro on this machine may use.
    """

    def port(usual: int) -> int:
        return free_port() if any_ports else usual

    nats, monitor = port(NATS_PORT), port(NATS_MONITOR_PORT)
    addresses = {name: f"127.0.0.1:{port(usual)}" for name, usual in SERVICES.items()}
    metrics = {
        f"TIRO_{name.upper()}_METRICS_ADDRESS": f"127.0.0.1:{port(usual)}" for name, usual in METRICS_PORTS.items()
    }
    defaults = {"TIRO_AUTH": "off", "TIRO_LOG_FORMAT": "console", "GOMEMLIMIT": NATS_MEMORY}
    return {
        **defaults,
        **os.environ,
        **metrics,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "TIRO_LOCAL_FOLDER": str(folder),
        "TIRO_LOCAL_NATS_PORT": str(nats),
        "TIRO_LOCAL_NATS_MONITOR_PORT": str(monitor),
        "TIRO_LOCAL_NATS_STORE": str(folder / "nats"),
        "TIRO_NATS_URL": f"nats://127.0.0.1:{nats}",
        "TIRO_NATS_MONITOR_URL": f"http://127.0.0.1:{monitor}",
        "TIRO_INGEST_ADDRESS": addresses["ingest"],
        "TIRO_STREAMER_ADDRESS": addresses["streamer"],
        "TIRO_TRANSCRIBER_HEALTH_ADDRESS": addresses["transcriber"],
        "TIRO_ADDRESS": addresses["ingest"],
        "TIRO_STREAMING_ADDRESS": addresses["streamer"],
    }


def health_addresses(settings: Mapping[str, str]) -> dict[str, str]:
    """The address of each service's gRPC health service."""
    return {
        "ingest": settings["TIRO_INGEST_ADDRESS"],
        "streamer": settings["TIRO_STREAMER_ADDRESS"],
        "transcriber": settings["TIRO_TRANSCRIBER_HEALTH_ADDRESS"],
    }


@contextmanager
def running_stack(settings: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """NATS and the services, until the context ends. Then they are stopped in order, also after Ctrl-C."""
    Path(settings["TIRO_LOCAL_FOLDER"]).mkdir(parents=True, exist_ok=True)
    command = [str(BIN / "supervisord"), "--configuration", str(CONFIG)]
    # In a session of its own: Ctrl-C reaches this process, which then stops the others in order.
    supervisor = subprocess.Popen(command, env=dict(settings), cwd=ROOT, start_new_session=True)
    try:
        yield supervisor
    finally:
        _stop(supervisor)


def _stop(supervisor: subprocess.Popen[bytes]) -> None:
    if supervisor.poll() is None:
        supervisor.send_signal(signal.SIGTERM)
        try:
            supervisor.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(supervisor.pid, signal.SIGKILL)
            supervisor.wait()


def wait_ready(settings: Mapping[str, str], supervisor: subprocess.Popen[bytes], ready: Callable[[str], None]) -> None:
    """Wait until every service is ready, and report each one.

    Raises:
        NotReady: A service is not ready after `READY_SECONDS_MAX`, or supervisord has ended. The message names the
        logs.
    """
    waiting = health_addresses(settings)
    deadline = time.monotonic() + READY_SECONDS_MAX
    folder = settings["TIRO_LOCAL_FOLDER"]
    while waiting:
        for name, address in list(waiting.items()):
            if is_serving(address):
                del waiting[name]
                ready(name)
        if supervisor.poll() is not None:
            raise NotReady(f"the processes have ended; see {folder}/supervisord.log")
        if time.monotonic() > deadline:
            raise NotReady(f"not ready after {READY_SECONDS_MAX:.0f} s: {', '.join(waiting)}; see the logs in {folder}")
        time.sleep(CHECK_SECONDS)


def is_serving(address: str) -> bool:
    """Whether the service at this address reports that it is ready."""
    with grpc.insecure_channel(address) as channel:
        try:
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            answer = check(health_pb2.HealthCheckRequest(), timeout=1)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
