"""Live streams through Tiro and through WhisperLive, in turns in one run.

The same recording, model, frames of 100 ms and scoring for both; each with the whole machine to itself while it is
measured. CPU time is that of each process from the first frame to the last word.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.live.deployment import deployment
from benchmarks.live.deployment import play as play_to_tiro
from benchmarks.live.recording import Task, add_live_options, prepared, titled
from benchmarks.live.reference import Spoken
from benchmarks.live.scoring import score_all
from benchmarks.live.tables import Measured
from benchmarks.peers.tables import TIRO, WHISPERLIVE, Pair, tables
from benchmarks.peers.whisperlive import play as play_to_whisperlive
from benchmarks.peers.whisperlive import whisperlive
from benchmarks.shared.processes import Sample, cpu_between, sampling

SAMPLE_SECONDS = 0.5
"""The interval of sampling. CPU time of up to one interval more, at both ends, is counted for both servers."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add options of this benchmark."""
    add_live_options(parser)
    parser.add_argument("--streams", default="1,2", help="numbers of streams, one run of each server for each")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads of WhisperLive's inference")


def run(arguments: argparse.Namespace) -> str:
    """Measure, and return the tables."""
    with prepared(arguments) as task:
        pairs = [_measure(task, int(streams), arguments.threads) for streams in arguments.streams.split(",")]
    return titled(arguments, task.spoken, tables(pairs, task.spoken.text, arguments.threads))


def _measure(task: Task, streams: int, threads: int) -> Pair:
    folder, what = task.folder / str(streams), task.play(streams)
    print(f"{streams} streams: {TIRO}", file=sys.stderr)
    with deployment(folder / "tiro", task.model) as (settings, root), sampling(root, SAMPLE_SECONDS) as samples:
        answer = play_to_tiro(settings, what)
    tiro = _measured(answer, samples, task.spoken)
    print(f"{streams} streams: {WHISPERLIVE}", file=sys.stderr)
    with (
        whisperlive(folder / "whisperlive", task.model, threads) as port,
        sampling(os.getpid(), SAMPLE_SECONDS) as samples,
    ):
        answer = play_to_whisperlive(port, what)
    return Pair(streams, tiro, _measured(answer, samples, task.spoken))


def _measured(answer: Mapping[str, Any], samples: Sequence[Sample], spoken: Spoken) -> Measured:
    scores = score_all(answer["streams"], spoken)
    played = [stream for stream in answer["streams"] if not stream["error"]]
    if not played:
        return Measured(scores, 0.0)
    begun = min(stream["begun"] for stream in played)
    ended = max(max([stream["half_closed"], *(at for at, *_ in stream["events"])]) for stream in played)
    before = [sample for sample in samples if sample.at <= begun][-1]
    after = next((sample for sample in samples if sample.at >= ended), samples[-1])
    cpu = {**cpu_between(before.usage, after.usage), "load": answer["cpu_seconds"]}
    return Measured(scores, len(played) * spoken.seconds, cpu)
