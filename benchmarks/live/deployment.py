"""Live streams of a recording through a deployment of its own, as the benchmarks need them."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.live.reference import ENGINE
from deploy.local.ports import Ports
from deploy.local.stack import BIN, MODELS, ROOT, environment, running_stack, wait_ready

STAGGER_SECONDS = 5.0
"""Streams begin within this time, so that their words do not coincide."""


@dataclass(frozen=True, slots=True)
class Play:
    """The task of a load generator."""

    pcm: Path
    streams: int
    model: str
    times: int = 1
    """Repetitions of the recording."""


def pull(model: str) -> None:
    """Fetch a model unless it is present."""
    subprocess.run([BIN / "tiro", "models", "pull", model, "--models-dir", str(MODELS)], check=True)


@contextmanager
def deployment(folder: Path, model: str) -> Iterator[tuple[dict[str, str], int]]:
    """NATS and the services, for live streams only: their settings, and their parent process."""
    settings = {
        **environment(folder, Ports.free()),
        "TIRO_MODEL": model,
        "TIRO_DEFAULT_MODEL": model,
        "TIRO_JOB_SLOTS": "0",
    }
    with running_stack(settings) as supervisor:
        wait_ready(settings, supervisor, lambda _: None)
        yield settings, supervisor.pid


def play(settings: Mapping[str, str], what: Play) -> dict[str, Any]:
    """Play to the streamer; see `benchmarks.live.speakers` for the answer."""
    task = {
        "address": settings["TIRO_STREAMING_ADDRESS"],
        "pcm": str(what.pcm),
        "streams": what.streams,
        "engine": ENGINE,
        "model": what.model,
        "times": what.times,
        "stagger_seconds": STAGGER_SECONDS,
    }
    return run_load([sys.executable, "-m", "benchmarks.live.speakers"], task)


def run_load(command: list[str], task: Mapping[str, Any]) -> dict[str, Any]:
    """Run a load generator, which reads its task from stdin and writes its answer to stdout."""
    done = subprocess.run(command, input=json.dumps(task), capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(f"the load generator failed:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
