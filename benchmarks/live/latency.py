"""Live streams through the whole system on one machine, in real time.

Each stream plays the same recording in frames of 100 ms; `benchmarks.live.scoring` defines the figures. Word times
come from a file (`--words`), or from the same model over the whole recording.
"""

import argparse
import sys
from collections.abc import Sequence

from benchmarks.live.deployment import deployment, play
from benchmarks.live.recording import Task, add_live_options, prepared, titled
from benchmarks.live.scoring import score_all
from benchmarks.live.tables import Measured, costs, latencies, refusals
from benchmarks.shared.processes import cpu_between, usage_below


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add options of this benchmark."""
    add_live_options(parser)
    parser.add_argument("--streams", default="1,8,16,24", help="numbers of streams, one run each")
    parser.add_argument("--times", type=int, default=1, help="repetitions of the recording")


def run(arguments: argparse.Namespace) -> str:
    """Measure, and return the tables."""
    with prepared(arguments, lambda _: int(arguments.times)) as task:
        measured = [_measure(task, int(streams)) for streams in arguments.streams.split(",")]
    return titled(arguments, task.spoken, _tables(measured, task.spoken.text))


def _measure(task: Task, streams: int) -> Measured:
    """Measure one number of streams, in a deployment of its own."""
    print(f"{streams} streams", file=sys.stderr)
    with deployment(task.folder / str(streams), task.model) as (settings, root):
        before = usage_below(root)
        answer = play(settings, task.play(streams))
        after = usage_below(root)
    return Measured(
        score_all(answer["streams"], task.spoken),
        streams * task.spoken.seconds * task.spoken.times,
        {**cpu_between(before, after), "load": answer["cpu_seconds"]},
        {name: used.resident_bytes for name, used in after.items()},
    )


def _tables(measured: Sequence[Measured], text: str) -> str:
    parts = [
        latencies(measured, text),
        "CPU seconds for each second of audio, by process (load: the benchmark's own speakers), and resident MiB:",
        costs(measured),
        *refusals(measured),
    ]
    return "\n\n".join(parts)
