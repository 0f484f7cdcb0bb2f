"""Growth of memory: eight live streams for half an hour.

A recording is repeated in real time, in one session for each stream, while the resident memory of each process,
its children included, is sampled. Growth is from the minute after `SETTLED_MINUTES` to the last minute in which all
streams speak, each the median of its samples.
"""

import argparse
import math
import statistics
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.live.deployment import deployment, play
from benchmarks.live.recording import Task, add_live_options, prepared, titled
from benchmarks.live.reference import Spoken
from benchmarks.live.scoring import score_all
from benchmarks.live.tables import PROCESSES, Measured, costs, latencies, refusals
from benchmarks.shared.processes import Sample, cpu_between, sampling
from benchmarks.shared.report import table
from tiro_streamer.settings import StreamerSettings

SAMPLE_SECONDS = 10.0
SETTLED_MINUTES = 5
"""Memory that a process takes until then is not growth."""
SETTLED_PART = 1 / 3
"""The same for shorter runs, as a share of the run."""
GROWTH_AIM = 0.05
MARGIN_MINUTES = 0.5
"""Each stream plays this much longer, because they do not begin at once."""
ROWS_MAX = 10
"""The most rows of the table over time."""
SERVICES = PROCESSES[:-1]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add options of this benchmark."""
    add_live_options(parser)
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=30.0)


def run(arguments: argparse.Namespace) -> str:
    """Measure, and return the tables."""
    with prepared(arguments, lambda seconds: _turns(arguments.minutes, seconds)) as task:
        measured, by_minute = _measure(task, arguments.streams)
    return titled(arguments, task.spoken, _tables(measured, by_minute, task.spoken))


def _turns(minutes: float, seconds: float) -> int:
    """The number of repetitions, in one session, of a recording of this many seconds."""
    longest = StreamerSettings.model_fields["session_seconds_max"].default
    turns = math.ceil((minutes + MARGIN_MINUTES) * 60 / seconds)
    if turns * seconds > longest:
        sys.exit(f"{turns} repetitions of {seconds:.0f} s are longer than a session may last: {longest:.0f} s")
    return turns


Minutes = list[dict[str, float]]
"""Resident MiB in each minute of speech, by process."""


def _measure(task: Task, streams: int) -> tuple[Measured, Minutes]:
    with (
        deployment(task.folder / "stack", task.model) as (settings, root),
        sampling(root, SAMPLE_SECONDS, _Progress()) as samples,
    ):
        answer = play(settings, task.play(streams))
    measured = Measured(
        score_all(answer["streams"], task.spoken),
        streams * task.spoken.seconds * task.spoken.times,
        {**cpu_between(samples[0].usage, samples[-1].usage), "load": answer["cpu_seconds"]},
        {name: used.resident_bytes for name, used in samples[-1].usage.items()},
    )
    return measured, _by_minute(samples, answer["streams"])


class _Progress:
    """Prints the resident memory each minute."""

    def __init__(self) -> None:
        self._begun = self._due = 0.0

    def __call__(self, sample: Sample) -> None:
        self._begun = self._begun or sample.at
        if sample.at >= self._due:
            self._due = sample.at + 60
            resident = ", ".join(f"{name} {used.resident_bytes / 2**20:.0f}" for name, used in sample.usage.items())
            print(f"after {(sample.at - self._begun) / 60:.0f} minutes: {resident} MiB", file=sys.stderr)


def _by_minute(samples: Sequence[Sample], streams: Sequence[dict[str, Any]]) -> Minutes:
    """Return the median of each whole minute in which all streams speak."""
    played = [stream for stream in streams if not stream["error"]]
    begin = max((stream["begun"] for stream in played), default=0.0)
    end = min((stream["half_closed"] for stream in played), default=0.0)
    minutes = []
    for number in range(int((end - begin) // 60)):
        within = [one.usage for one in samples if 0 <= one.at - begin - 60 * number < 60]
        minutes.append(
            {name: statistics.median(one[name].resident_bytes for one in within) / 2**20 for name in SERVICES}
        )
    return minutes


def _tables(measured: Measured, by_minute: Minutes, spoken: Spoken) -> str:
    parts = [
        *_growth(by_minute),
        latencies([measured], spoken.text),
        "CPU seconds for each second of audio, by process (load: the benchmark's own speakers), and resident MiB:",
        costs([measured]),
        *refusals([measured]),
    ]
    return "\n\n".join(parts)


def _growth(by_minute: Minutes) -> list[str]:
    """The memory of each process after it has settled, at the end, and in between."""
    if len(by_minute) < 2:
        return ["Less than two minutes: too short for growth."]
    settled = min(SETTLED_MINUTES, int(len(by_minute) * SETTLED_PART))
    first, last = by_minute[settled], by_minute[-1]
    rows = [
        [
            name,
            f"{first[name]:.1f}",
            f"{last[name]:.1f}",
            f"{100 * (last[name] / first[name] - 1):+.1f} %",
            "yes" if last[name] <= (1 + GROWTH_AIM) * first[name] else "no",
        ]
        for name in SERVICES
    ]
    head = ["", f"MiB at minute {settled}", f"MiB at minute {len(by_minute) - 1}", "growth"]
    step = math.ceil(len(by_minute) / ROWS_MAX)
    over_time = [
        [number, *(f"{by_minute[number][name]:.1f}" for name in SERVICES)] for number in range(0, len(by_minute), step)
    ]
    return [
        "Resident, with children, the median of a minute:",
        table([*head, f"at most {100 * GROWTH_AIM:.0f} %"], rows),
        table(["minute", *SERVICES], over_time),
    ]
