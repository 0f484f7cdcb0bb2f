"""Jobs through the whole system against the engine alone, side by side in one run.

The same files, model, options and cores; rounds take turns, so that other load on the machine affects both.
The recordings are uploaded before the clock starts. A second table has the steps of a job, from the worker's metrics.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.shared.manifest import Recording, load_manifest, word_error_rate
from benchmarks.shared.report import table
from deploy.local.ports import Ports
from deploy.local.stack import BIN, MODELS, ROOT, environment, running_stack, wait_ready
from tiro_client import AsyncClient

IDLE_STARTS = 21
"""Jobs submitted in sequence to an idle worker, to measure how soon it starts."""
UPLOADS_AT_ONCE = 4
CUT_SECONDS = 300.0
"""Recordings of this length are split into parts."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add options of this benchmark."""
    parser.add_argument("manifest", nargs="?", type=Path, default=ROOT / "samples" / "MANIFEST.jsonl")
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files-max", type=int, default=60, help="of recordings that are not split")
    parser.add_argument("--seconds-max", type=float, default=120.0, help="the longest recording that is not split")


def run(arguments: argparse.Namespace) -> str:
    """Measure, and return the tables."""
    found = load_manifest(arguments.manifest, language="en", seconds_max=7200, files_max=10_000)
    short = [recording for recording in found if recording.seconds <= arguments.seconds_max][: arguments.files_max]
    if not short:
        sys.exit(f"no English recordings with a reference in {arguments.manifest}")
    groups = {
        "short": short,
        "split into parts": [recording for recording in found if recording.seconds >= CUT_SECONDS],
    }
    subprocess.run([BIN / "tiro", "models", "pull", arguments.model, "--models-dir", str(MODELS)], check=True)
    return asyncio.run(_measure(groups, arguments.model, arguments.rounds))


async def _measure(groups: Mapping[str, list[Recording]], model: str, rounds: int) -> str:
    threads = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        settings = {**environment(Path(folder), Ports.free()), "TIRO_MODEL": model, "TIRO_DEFAULT_MODEL": model}
        with running_stack(settings) as supervisor, _alone(MODELS / model, threads) as alone:
            wait_ready(settings, supervisor, lambda name: print(f"{name} is ready", file=sys.stderr))
            async with AsyncClient(settings["TIRO_ADDRESS"]) as client:
                uploads = {name: await _upload(client, recordings) for name, recordings in groups.items()}
                idle = await _idle_starts(client, uploads["short"][0])
                _ask(alone, groups["short"][:2])  # both sides are warm now
                rows: list[list[object]] = []
                stages: dict[str, list[list[object]]] = {}
                for name, recordings in groups.items():
                    if recordings:
                        before = _stages(settings)
                        rows += _rows(name, recordings, await _rounds(client, alone, recordings, uploads[name], rounds))
                        stages[name] = _spent(before, _stages(settings), rounds * len(recordings))
    start_ms = statistics.median(idle) * 1000
    return "\n\n".join(
        [
            f"{model}, {rounds} rounds in turns, medians. The engine alone: a loop, {threads} threads.",
            table(["recordings", "", "seconds", "times real time", "ratio", "WER"], rows),
            "Time of the steps of a short job, from the worker's metrics:",
            table(["stage", "ms a job"], stages["short"]),
            f"An idle worker starts a submitted job after {start_ms:.1f} ms (median of {len(idle)}).",
        ]
    )


@dataclass(slots=True)
class Rounds:
    """The results of the rounds over some recordings."""

    system_seconds: list[float] = field(default_factory=list)
    alone_seconds: list[float] = field(default_factory=list)
    system_texts: list[str] = field(default_factory=list)
    """Of the last round."""
    alone_texts: list[str] = field(default_factory=list)


async def _rounds(
    client: AsyncClient, alone: "subprocess.Popen[str]", recordings: list[Recording], uploads: list[str], rounds: int
) -> Rounds:
    result = Rounds()
    for number in range(rounds):
        seconds, result.system_texts = await _through_system(client, uploads)
        result.system_seconds.append(seconds)
        answer = await asyncio.to_thread(_ask, alone, recordings)
        result.alone_seconds.append(answer.seconds)
        result.alone_texts = answer.texts
        print(f"round {number + 1}: system {seconds:.1f} s, alone {answer.seconds:.1f} s", file=sys.stderr)
    return result


def _rows(name: str, recordings: list[Recording], rounds: Rounds) -> list[list[object]]:
    audio = sum(recording.seconds for recording in recordings)
    references = [recording.reference for recording in recordings]
    pairs = zip(rounds.alone_seconds, rounds.system_seconds, strict=True)
    ratio = statistics.median(alone / system for alone, system in pairs)

    def row(kind: str, seconds: list[float], texts: list[str], ratio: str) -> list[object]:
        spent = statistics.median(seconds)
        error_rate = word_error_rate(references, texts, "en")
        label = f"{len(recordings)} {name}, {audio:.0f} s"
        return [label, kind, f"{spent:.1f}", f"{audio / spent:.1f}", ratio, f"{100 * error_rate:.2f} %"]

    return [
        row("engine alone", rounds.alone_seconds, rounds.alone_texts, "1"),
        row("whole system", rounds.system_seconds, rounds.system_texts, f"{ratio:.2f}"),
    ]


def _spent(before: Mapping[str, float], after: Mapping[str, float], jobs: int) -> list[list[object]]:
    return [[name, f"{(after[name] - before.get(name, 0)) / jobs * 1000:.1f}"] for name in sorted(after)]


async def _upload(client: AsyncClient, recordings: list[Recording]) -> list[str]:
    places = asyncio.Semaphore(UPLOADS_AT_ONCE)

    async def upload(recording: Recording) -> str:
        async with places:
            return (await client.upload(recording.path)).name

    return await asyncio.gather(*(upload(recording) for recording in recordings))


async def _idle_starts(client: AsyncClient, upload: str) -> list[float]:
    """The time from creating a job to its start, from the record's own times."""
    waits = []
    for _ in range(IDLE_STARTS):
        job = await client.submit(upload, language="en")
        finished = await client.wait(job.name)
        if finished.start_time is None or finished.create_time is None:
            raise AssertionError("a job that has ended has begun")
        waits.append((finished.start_time - finished.create_time).total_seconds())
    return waits[1:]


async def _through_system(client: AsyncClient, uploads: list[str]) -> tuple[float, list[str]]:
    begun = time.perf_counter()
    jobs = [await client.submit(upload, language="en", word_timestamps=True) for upload in uploads]
    for job in jobs:
        await client.wait(job.name)
    seconds = time.perf_counter() - begun
    return seconds, [str(await client.get_transcript(job.name, format="txt")) for job in jobs]


@dataclass(frozen=True, slots=True)
class Alone:
    """The engine alone, in rounds; see `benchmarks/batch/engine_alone.py`."""

    seconds: float
    texts: list[str]


def _ask(alone: "subprocess.Popen[str]", recordings: list[Recording]) -> Alone:
    if alone.stdin is None or alone.stdout is None:
        raise AssertionError("the engine's process was started with pipes")
    alone.stdin.write("".join(f"{recording.path}\n" for recording in recordings) + "\n")
    alone.stdin.flush()
    return Alone(**json.loads(alone.stdout.readline()))


@contextmanager
def _alone(model: Path, threads: int) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "benchmarks.batch.engine_alone", str(model), str(threads)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        if process.stdout is None:
            raise AssertionError("the engine's process was started with pipes")
        process.stdout.readline()
        try:
            yield process
        finally:
            process.terminate()


def _stages(settings: Mapping[str, str]) -> dict[str, float]:
    url = f"http://{settings['TIRO_TRANSCRIBER_METRICS_ADDRESS']}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return {
        sample.labels["stage"]: sample.value
        for family in families
        for sample in family.samples
        if sample.name == "tiro_job_stage_seconds_sum"
    }
