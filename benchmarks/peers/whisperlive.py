"""WhisperLive on this machine, with the model and the speakers that Tiro is measured with."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from benchmarks.live.deployment import STAGGER_SECONDS, Play, run_load
from deploy.local.ports import free_port
from deploy.local.stack import CHECK_SECONDS, MODELS, READY_SECONDS_MAX, ROOT, STOP_SECONDS_MAX

FOLDER = ROOT / "var" / "peers" / "whisperlive"
"""Its environment; `make bench NAME=live-peers` makes it."""
PYTHON = FOLDER / "bin" / "python"
SERVER = Path(__file__).with_name("whisperlive_server.py")


def versions() -> str:
    """Its version, and those of its libraries."""
    [packages] = FOLDER.glob("lib/python*/site-packages")
    found = {one.name.replace("_", "-"): one.version for one in distributions(path=[str(packages)])}
    return ", ".join(f"{name} {found[name]}" for name in ("whisper-live", "faster-whisper", "ctranslate2"))


@contextmanager
def whisperlive(folder: Path, model: str, threads: int) -> Iterator[int]:
    """A WhisperLive server, until the context ends: its port.

    Args:
        folder: For its log.
        model: A model of Tiro's folder of models.
        threads: Of its inference.
    """
    if not PYTHON.exists():
        sys.exit("WhisperLive's environment is not there: `make bench NAME=live-peers` makes it")
    port = free_port()
    command = [str(PYTHON), str(SERVER), str(port), str(MODELS / model)]
    folder.mkdir(parents=True)
    log = folder / "whisperlive.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, env={**os.environ, "OMP_NUM_THREADS": str(threads)}, stdout=output, stderr=output
        )
    try:
        _wait_listening(server, port, log)
        yield port
    finally:
        _stop(server)


def play(port: int, what: Play) -> dict[str, Any]:
    """Play to WhisperLive; see `benchmarks.live.speakers` for the answer."""
    task = {
        "address": f"ws://127.0.0.1:{port}",
        "pcm": str(what.pcm),
        "streams": what.streams,
        "model": what.model,
        "stagger_seconds": STAGGER_SECONDS,
    }
    return run_load([str(PYTHON), "-m", "benchmarks.peers.whisperlive_load"], task)


def _wait_listening(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while server.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(CHECK_SECONDS)
    sys.exit(f"WhisperLive does not listen:\n{log.read_text(errors='replace')}")


def _stop(server: "subprocess.Popen[bytes]") -> None:
    server.terminate()
    try:
        server.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
