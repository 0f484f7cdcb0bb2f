"""What the live benchmarks have in common: a recording that is asked for, prepared, and told about in the end."""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.live_reference import Spoken, pcm_of, words_of
from benchmarks.live_run import Play, pull
from benchmarks.pacing import seconds_of
from benchmarks.report import machine, record
from deploy.local.stack import ROOT


@dataclass(frozen=True, slots=True)
class Task:
    """A recording, ready to be played."""

    folder: Path
    """For whatever is measured; gone afterwards."""
    pcm: Path
    spoken: Spoken
    model: str

    def play(self, streams: int) -> Play:
        """The recording over so many streams."""
        return Play(self.pcm, streams, self.model, self.spoken.times)


def live_parser(description: str | None) -> argparse.ArgumentParser:
    """Take the arguments that all live benchmarks take."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", nargs="?", type=Path, default=ROOT / "samples" / "panel.ogg")
    parser.add_argument("--words", type=Path, help='JSON with {"words": [[text, start, end], ...]} of the recording')
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--record", default="", help="write the tables to docs/benchmarks.md under this name")
    return parser


@contextmanager
def prepared(arguments: argparse.Namespace, times: Callable[[float], int] = lambda _: 1) -> Iterator[Task]:
    """Fetch the model, decode the recording and find its words.

    Args:
        arguments: What `live_parser` has parsed.
        times: How often to play it in a row, of the seconds that it lasts.
    """
    pull(arguments.model)
    pcm = pcm_of(arguments.recording)
    spoken = Spoken(words_of(arguments.recording, arguments.words, arguments.model), seconds_of(pcm))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "recording.pcm"
        file.write_bytes(pcm)
        yield Task(Path(folder), file, replace(spoken, times=times(spoken.seconds)), arguments.model)


def tell(arguments: argparse.Namespace, spoken: Spoken, body: str) -> None:
    """Print the tables, and write them to the document where that is asked for."""
    times = f", {spoken.times} times in a row" if spoken.times > 1 else ""
    name = f"{arguments.recording.name}, {spoken.seconds:.0f} s{times}, {arguments.model}, frames of 100 ms."
    print(machine(), name, body, sep="\n\n")
    if arguments.record:
        record(arguments.record, f"{name}\n\n{body}")
