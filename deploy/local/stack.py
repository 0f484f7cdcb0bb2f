"""Tiro on one machine: its environment, its processes under supervisord, and waiting until they are ready."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2

from deploy.local.ports import HOST, USUAL_PORTS, Ports
from deploy.local.supervision import FOLDER_CHARACTERS_MAX, processes_in
from tiro_engines.models.folder import default_models_dir

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(sys.executable).parent
CONFIG = Path(__file__).with_name("supervisord.conf")
MODELS = Path(os.environ.get("TIRO_MODELS_DIR") or default_models_dir())
"""Where the services and `tiro models` keep models."""
READY_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 60.0
CHECK_SECONDS = 0.1

NATS_MEMORY = "256MiB"
"""The memory limit of nats-server (Go's GOMEMLIMIT).

Without it, purging the audio of a long live session at its end takes as much memory as the store has live audio.
"""
LOCK = "lock"
"""The file that supervisord keeps locked while it uses a data folder."""


class NotReady(Exception):  # noqa: N818 - reads as the condition it reports
    """A deployment did not become ready."""


class FolderInUse(NotReady):
    """Another deployment uses the data folder."""


def environment(folder: Path, ports: Ports = USUAL_PORTS) -> dict[str, str]:
    """The environment of the processes: everything on loopback, without authentication, data in `folder`.

    The model that the worker loads is also that of requests that name none, unless the environment says otherwise.

    Args:
        folder: Where data and logs go.
        ports: Where the processes listen.
    """
    defaults = {"TIRO_AUTH": "off", "TIRO_LOG_FORMAT": "console", "GOMEMLIMIT": NATS_MEMORY}
    if os.environ.get("TIRO_MODEL"):
        defaults["TIRO_DEFAULT_MODEL"] = os.environ["TIRO_MODEL"]
    return {
        **defaults,
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "TIRO_LOCAL_FOLDER": str(folder),
        "TIRO_LOCAL_NATS_PORT": str(ports.nats),
        "TIRO_LOCAL_NATS_MONITOR_PORT": str(ports.nats_monitor),
        "TIRO_LOCAL_NATS_STORE": f'"{folder / "nats"}"',  # quoted, for NATS's own syntax
        "TIRO_NATS_URL": f"nats://{HOST}:{ports.nats}",
        "TIRO_NATS_MONITOR_URL": f"http://{HOST}:{ports.nats_monitor}",
        "TIRO_INGEST_ADDRESS": f"{HOST}:{ports.jobs}",
        "TIRO_INGEST_METRICS_ADDRESS": f"{HOST}:{ports.ingest_metrics}",
        "TIRO_STREAMER_ADDRESS": f"{HOST}:{ports.live}",
        "TIRO_STREAMER_METRICS_ADDRESS": f"{HOST}:{ports.streamer_metrics}",
        "TIRO_TRANSCRIBER_HEALTH_ADDRESS": f"{HOST}:{ports.transcriber}",
        "TIRO_TRANSCRIBER_METRICS_ADDRESS": f"{HOST}:{ports.transcriber_metrics}",
        "TIRO_ADDRESS": f"{HOST}:{ports.jobs}",
        "TIRO_STREAMING_ADDRESS": f"{HOST}:{ports.live}",
    }


def health_addresses(settings: Mapping[str, str]) -> dict[str, str]:
    """The address of each service's gRPC health service."""
    return {
        "ingest": settings["TIRO_INGEST_ADDRESS"],
        "streamer": settings["TIRO_STREAMER_ADDRESS"],
        "transcriber": settings["TIRO_TRANSCRIBER_HEALTH_ADDRESS"],
    }


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """A data folder that no other deployment uses. Yields the descriptor of its lock.

    Raises:
        FolderInUse: Another deployment uses the folder.
        NotReady: Its path is too long, or it cannot be created.
    """
    if len(os.fsencode(folder)) > FOLDER_CHARACTERS_MAX:
        raise NotReady(f"the path of the data folder has more than {FOLDER_CHARACTERS_MAX} characters: {folder}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("w")
    except OSError as error:
        raise NotReady(f"cannot use the data folder {folder}: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FolderInUse(f"another Tiro uses {folder}; `make status` shows it") from None
        yield lock.fileno()


def require_free_folder(folder: Path) -> None:
    """Check that no deployment uses a data folder.

    Raises:
        NotReady: As `locked` does.
    """
    with locked(folder):
        pass


@contextmanager
def running_stack(settings: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """NATS and the services, until the context ends. Then they are stopped in order, also after Ctrl-C.

    Raises:
        NotReady: The data folder cannot be used; see `locked`.
    """
    command = [str(BIN / "supervisord"), "--configuration", str(CONFIG)]
    with locked(Path(settings["TIRO_LOCAL_FOLDER"])) as lock:
        # In a session of its own: Ctrl-C reaches this process, which then stops the others in order. supervisord
        # inherits the lock, so that the folder is in use for as long as it runs.
        supervisor = subprocess.Popen(command, env=dict(settings), cwd=ROOT, start_new_session=True, pass_fds=[lock])
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

    A service counts if it listens in a process of this deployment: another one on the same port does not answer for it.

    Raises:
        NotReady: A service is not ready after `READY_SECONDS_MAX`, refuses to start, or another program has its port;
            or supervisord has ended. The message names the logs.
    """
    waiting = health_addresses(settings)
    deadline = time.monotonic() + READY_SECONDS_MAX
    folder = Path(settings["TIRO_LOCAL_FOLDER"])
    while waiting:
        if supervisor.poll() is not None:
            raise NotReady(f"the processes have ended; see {folder}/supervisord.log")
        processes = processes_in(folder)
        for name, address in list(waiting.items()):
            process = processes.get(name)
            if process is not None and process.listens_on(_port(address)) and is_serving(address):
                del waiting[name]
                ready(name)
        refusing = [name for name, process in processes.items() if process.refused]
        if refusing:
            raise NotReady("; ".join(f"{name} does not start: {last_line(folder, name)}" for name in refusing))
        if time.monotonic() > deadline:
            raise NotReady(f"not ready after {READY_SECONDS_MAX:.0f} s: {', '.join(waiting)}; see the logs in {folder}")
        time.sleep(CHECK_SECONDS)


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def last_line(folder: Path, name: str) -> str:
    """The last line of a process's log. Empty if there is none."""
    try:
        lines = (folder / f"{name}.log").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


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
