"""Processes that a benchmark starts itself: NATS as in the local deployment, a streamer, and others."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.local.stack import BIN, CONFIG, READY_SECONDS_MAX, ROOT, STOP_SECONDS_MAX, is_serving

CHECK_SECONDS = 0.1


@contextmanager
def started(name: str, command: Sequence[str], settings: Mapping[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """A process that runs until the context ends. Its stderr is in its log."""
    with log_of(name, settings).open("w") as log:
        process = subprocess.Popen(
            command, env=dict(settings), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        with process:
            try:
                yield process
            finally:
                _stop(process)


def log_of(name: str, settings: Mapping[str, str]) -> Path:
    """The file with the stderr of a process."""
    return Path(settings["TIRO_LOCAL_FOLDER"]) / f"{name}.log"


def await_serving(address: str, process: "subprocess.Popen[str]", log: Path) -> None:
    """Wait until a service is ready. If it ends, or is not ready in time, the benchmark ends and prints its log."""
    deadline = time.monotonic() + READY_SECONDS_MAX
    while not is_serving(address):
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"a service is not ready:\n{log.read_text()}")
        time.sleep(CHECK_SECONDS)


@contextmanager
def running_streamer(settings: Mapping[str, str]) -> Iterator[None]:
    """NATS and one streamer, ready, until the context ends."""
    nats = [str(BIN / "nats-server"), "--config", str(CONFIG.with_name("nats-server.conf"))]
    streamer = [sys.executable, "-m", "tiro_streamer"]
    with started("nats", nats, settings), started("streamer", streamer, settings) as process:
        await_serving(settings["TIRO_STREAMING_ADDRESS"], process, log_of("streamer", settings))
        yield


def _stop(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
