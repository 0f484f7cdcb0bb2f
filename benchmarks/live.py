"""Live streams through the whole system, on one machine, at natural pace: `make bench-live`.

Each stream plays the same recording in frames of 100 ms; see `benchmarks.live_scoring` for what is measured. Word times
come from a file (`--words`), or from the same model over the whole recording.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.live_reference import Spoken, pcm_of, words_of
from benchmarks.live_run import Play, deployment, play, pull
from benchmarks.live_scoring import Scores, score
from benchmarks.live_tables import Measured, costs, latencies, refusals
from benchmarks.pacing import seconds_of
from benchmarks.processes import cpu_between, usage_below
from benchmarks.report import machine, record
from deploy.local.stack import ROOT


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", nargs="?", type=Path, default=ROOT / "samples" / "panel.ogg")
    parser.add_argument("--words", type=Path, help='JSON with {"words": [[text, start, end], ...]} of the recording')
    parser.add_argument("--streams", default="1,8,16,24", help="numbers of streams, one run each")
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--times", type=int, default=1, help="play the recording so often in a row")
    parser.add_argument("--record", default="", help="write the table to docs/benchmarks.md under this name")
    arguments = parser.parse_args()
    pull(arguments.model)
    pcm = pcm_of(arguments.recording)
    words = words_of(arguments.recording, arguments.words, arguments.model)
    spoken = Spoken(words, seconds_of(pcm), arguments.times)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "recording.pcm"
        file.write_bytes(pcm)
        plays = [Play(file, int(number), arguments.model, arguments.times) for number in arguments.streams.split(",")]
        measured = [_measure(Path(folder) / str(what.streams), what, spoken) for what in plays]
    body = _tables(measured, spoken.text)
    print(machine(), body, sep="\n\n")
    if arguments.record:
        name = f"{arguments.recording.name}, {spoken.seconds:.0f} s, {arguments.model}, frames of 100 ms."
        record(arguments.record, f"{name}\n\n{body}")


def _measure(folder: Path, what: Play, spoken: Spoken) -> Measured:
    """One number of streams, in a deployment of its own."""
    print(f"{what.streams} streams", file=sys.stderr)
    with deployment(folder, what.model) as (settings, root):
        before = usage_below(root)
        answer = play(settings, what)
        after = usage_below(root)
    scores = Scores()
    for stream in answer["streams"]:
        score(stream, spoken, scores)
    return Measured(
        scores,
        what.streams * spoken.seconds * spoken.times,
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


if __name__ == "__main__":
    main()
