"""Latency and CPU time of streamer and NATS for live streams, with a worker that answers at once.

Speakers send frames in real time to one streamer; a stand-in for the transcriber answers each message of
audio with a partial. The latency is from passing a frame to gRPC until the partial that covers it is read. The CPU time
is that of each process meanwhile. Opening the sessions, and a few seconds after it, are left out.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.live.echo_worker import ENGINE, MODEL, READY
from benchmarks.live.frame_speakers import MEASURED, MEASURING
from benchmarks.shared.processes import Usage, usage_below
from benchmarks.shared.report import table
from benchmarks.shared.started import log_of, running_streamer, started
from deploy.local.ports import Ports
from deploy.local.stack import environment

PROCESSES = ("streamer", "nats", "worker", "load")
CPU_HEAD = (
    "CPU by process in cores, in brackets CPU seconds for each second of audio of a stream; and resident MiB "
    "(worker: the stand-in; load: the benchmark's own speakers):"
)


@dataclass(frozen=True, slots=True)
class Measured:
    """Results for one number of streams."""

    streams: int
    seconds: float
    """Duration of the measurement."""
    cpu: dict[str, float]
    """CPU seconds of each kind of process."""
    resident: dict[str, int]
    """Bytes, at the end."""
    answer: dict[str, Any]
    """Results of the load generator; see `benchmarks.live.frame_speakers`."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add options of this benchmark."""
    parser.add_argument("--streams", default="50,200", help="numbers of streams, one run each")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each run is measured")
    parser.add_argument("--frame-ms", type=int, default=100, help="audio in each message of a speaker")
    parser.add_argument("--workers", type=int, default=1, help="worker processes")


def run(arguments: argparse.Namespace) -> str:
    """Measure, and return the tables."""
    ladder = [int(number) for number in arguments.streams.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        measured = [_measure(Path(folder) / str(streams), streams, arguments) for streams in ladder]
    return f"Frames of {arguments.frame_ms} ms, {arguments.seconds:g} s, one streamer.\n\n{_tables(measured)}"


def _measure(folder: Path, streams: int, asked: argparse.Namespace) -> Measured:
    """Measure one number of streams, in a deployment of its own."""
    print(f"{streams} streams", file=sys.stderr)
    folder.mkdir()
    settings = environment(folder, Ports.free())
    task = {
        "address": settings["TIRO_STREAMING_ADDRESS"],
        "streams": streams,
        "seconds": asked.seconds,
        "frame_seconds": asked.frame_ms / 1000,
        "engine": ENGINE,
        "model": MODEL,
    }
    command = [sys.executable, "-m", "benchmarks.live.frame_speakers"]
    with _deployment(settings, asked.workers), started("load", command, settings) as load:
        log = log_of("load", settings)
        _tell(load, task)
        _await_line(load, MEASURING, log)
        begun, before = time.monotonic(), usage_below(os.getpid())
        _await_line(load, MEASURED, log)
        seconds, after = time.monotonic() - begun, usage_below(os.getpid())
        answer = json.loads(_read_line(load, log))
    nothing = Usage(0.0, 0)
    cpu = {name: used.cpu_seconds - before.get(name, nothing).cpu_seconds for name, used in after.items()}
    return Measured(streams, seconds, cpu, {name: used.resident_bytes for name, used in after.items()}, answer)


@contextmanager
def _deployment(settings: Mapping[str, str], workers: int) -> Iterator[None]:
    """NATS with the configuration of the local deployment, one streamer, and the stand-ins for transcribers."""
    with ExitStack() as stack:
        stack.enter_context(running_streamer(settings))
        for number in range(workers):
            name = f"worker-{number}"
            worker = stack.enter_context(started(name, [sys.executable, "-m", "benchmarks.live.echo_worker"], settings))
            _await_line(worker, READY, log_of(name, settings))
        yield


def _tell(process: "subprocess.Popen[str]", what: object) -> None:
    if process.stdin is None:
        raise AssertionError("it was started with pipes")
    process.stdin.write(json.dumps(what) + "\n")
    process.stdin.flush()


def _read_line(process: "subprocess.Popen[str]", log: Path) -> str:
    if process.stdout is None:
        raise AssertionError("it was started with pipes")
    line = process.stdout.readline()
    if not line:
        sys.exit(f"a process has ended:\n{log.read_text()}")
    return line.strip()


def _await_line(process: "subprocess.Popen[str]", wanted: str, log: Path) -> None:
    while _read_line(process, log) != wanted:
        pass


def _tables(measured: Sequence[Measured]) -> str:
    parts = [
        table(
            [
                "streams",
                "frame sent to answer received p50 / p95 / p99 (ms)",
                "sent to worker p50 / p99",
                "in the worker p50 / p99",
                "worker to client p50 / p99",
                "frames for an answer",
                "frames not answered",
                "load late p99 (ms)",
            ],
            [_latency_row(one) for one in measured],
        ),
        CPU_HEAD,
        table(["streams", *PROCESSES, "all", "MiB"], [_cpu_row(one) for one in measured]),
    ]
    parts += [
        f"{one.streams} streams, failed: {'; '.join(sorted(set(one.answer['errors'])))}."
        for one in measured
        if one.answer["errors"]
    ]
    return "\n\n".join(parts)


def _latency_row(one: Measured) -> list[object]:
    answer = one.answer
    stages = np.array(answer["stages"], dtype=np.float64).reshape(-1, 3)

    def milliseconds(seconds: NDArray[np.float64], *percentiles: int) -> str:
        if not seconds.size:
            return "-"
        return " / ".join(f"{1000 * np.percentile(seconds, percentile):.1f}" for percentile in percentiles)

    return [
        one.streams,
        milliseconds(stages.sum(axis=1), 50, 95, 99),
        *(milliseconds(stages[:, stage], 50, 99) for stage in range(3)),
        f"{len(stages) / max(1, answer['partials']):.2f}",
        answer["frames"] - len(stages),
        milliseconds(np.array(answer["late"], dtype=np.float64), 99),
    ]


def _cpu_row(one: Measured) -> list[object]:
    audio_seconds = one.streams * one.seconds
    used = [one.cpu.get(name, 0.0) for name in PROCESSES]
    return [
        one.streams,
        *(f"{cpu / one.seconds:.2f} ({cpu / audio_seconds:.4f})" for cpu in (*used, sum(used))),
        ", ".join(f"{name} {one.resident.get(name, 0) / 2**20:.0f}" for name in PROCESSES[:2]),
    ]
