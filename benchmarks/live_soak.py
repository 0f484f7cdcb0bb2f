"""Whether memory grows: eight live streams for half an hour: `make bench-live-soak`.

A recording is played over and over at natural pace in one session a stream, while the resident memory of each process,
its children included, is sampled. Growth is from the minute after `SETTLED_MINUTES` to the last minute in which all
streams speak, each the median of its samples.
"""

import argparse
import math
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.live_reference import Spoken, pcm_of, words_of
from benchmarks.live_run import Play, deployment, play, pull
from benchmarks.live_scoring import Scores, score
from benchmarks.live_tables import PROCESSES, Measured, costs, latencies, refusals
from benchmarks.pacing import seconds_of
from benchmarks.processes import Sample, cpu_between, sampling
from benchmarks.report import machine, record, table
from deploy.local.stack import ROOT
from tiro_streamer.settings import StreamerSettings

SAMPLE_SECONDS = 10.0
SETTLED_MINUTES = 5
"""What a process takes until then, it takes once."""
SETTLED_PART = 1 / 3
"""Of a run so short that it would be over by then."""
GROWTH_AIM = 0.05
ROWS_MAX = 10
"""Of the table over time."""
SERVICES = PROCESSES[:-1]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", nargs="?", type=Path, default=ROOT / "samples" / "panel.ogg")
    parser.add_argument("--words", type=Path, help='JSON with {"words": [[text, start, end], ...]} of the recording')
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--record", default="", help="write the tables to docs/benchmarks.md under this name")
    arguments = parser.parse_args()
    pull(arguments.model)
    pcm = pcm_of(arguments.recording)
    seconds = seconds_of(pcm)
    times = math.ceil(arguments.minutes * 60 / seconds)
    longest = StreamerSettings.model_fields["session_seconds_max"].default
    if times * seconds > longest:
        parser.error(f"a session lasts {longest / 60:.0f} minutes at most")
    spoken = Spoken(words_of(arguments.recording, arguments.words, arguments.model), seconds, times)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "recording.pcm"
        file.write_bytes(pcm)
        what = Play(file, arguments.streams, arguments.model, times)
        measured, by_minute = _measure(Path(folder) / "stack", what, spoken)
    body = _tables(measured, by_minute, spoken)
    print(machine(), body, sep="\n\n")
    if arguments.record:
        name = f"{arguments.recording.name}, {seconds:.0f} s, {times} times in a row, {arguments.model}."
        record(arguments.record, f"{name}\n\n{body}")


Minutes = list[dict[str, float]]
"""Resident MiB in each minute of speech, by process."""


def _measure(folder: Path, what: Play, spoken: Spoken) -> tuple[Measured, Minutes]:
    with deployment(folder, what.model) as (settings, root), sampling(root, SAMPLE_SECONDS, _Progress()) as samples:
        answer = play(settings, what)
    scores = Scores()
    for stream in answer["streams"]:
        score(stream, spoken, scores)
    measured = Measured(
        scores,
        what.streams * spoken.seconds * spoken.times,
        {**cpu_between(samples[0].usage, samples[-1].usage), "load": answer["cpu_seconds"]},
        {name: used.resident_bytes for name, used in samples[-1].usage.items()},
    )
    return measured, _by_minute(samples, answer["streams"])


class _Progress:
    """Tells each minute what is resident."""

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
    heard = [stream for stream in streams if not stream["error"]]
    begin = max((stream["begun"] for stream in heard), default=0.0)
    end = min((stream["half_closed"] for stream in heard), default=0.0)
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
    """Where each process stood when it had settled and where it stood in the end, and between."""
    if len(by_minute) < 2:
        return ["Less than two minutes: nothing can be said about growth."]
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


if __name__ == "__main__":
    main()
