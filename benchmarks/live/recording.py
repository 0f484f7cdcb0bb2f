"""The recording of a live benchmark: its options, its preparation, and the title of its tables."""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.live.deployment import Play, pull
from benchmarks.live.reference import Spoken, pcm_of, words_of
from benchmarks.shared.pacing import seconds_of
from deploy.local.stack import ROOT


@dataclass(frozen=True, slots=True)
class Task:
    """A recording, ready to be played."""

    folder: Path
    """A temporary folder for the measurement."""
    pcm: Path
    spoken: Spoken
    model: str

    def play(self, streams: int) -> Play:
        """The task of playing the recording over a number of streams."""
        return Play(self.pcm, streams, self.model, self.spoken.times)


def add_live_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of all live benchmarks."""
    parser.add_argument("recording", nargs="?", type=Path, default=ROOT / "samples" / "panel.ogg")
    parser.add_argument("--words", type=Path, help='JSON with {"words": [[text, start, end], ...]} of the recording')
    parser.add_argument("--model", default="tiny.en")


@contextmanager
def prepared(arguments: argparse.Namespace, times: Callable[[float], int] = lambda _: 1) -> Iterator[Task]:
    """Fetch the model, decode the recording and find its words.

    Args:
        arguments: Has the options of `add_live_options`.
        times: Returns the number of repetitions for a recording of this many seconds.
    """
    pull(arguments.model)
    pcm = pcm_of(arguments.recording)
    spoken = Spoken(words_of(arguments.recording, arguments.words, arguments.model), seconds_of(pcm))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "recording.pcm"
        file.write_bytes(pcm)
        yield Task(Path(folder), file, replace(spoken, times=times(spoken.seconds)), arguments.model)


def titled(arguments: argparse.Namespace, spoken: Spoken, body: str) -> str:
    """The tables below a line that describes the recording."""
    times = f", {spoken.times} times in a row" if spoken.times > 1 else ""
    name = f"{arguments.recording.name}, {spoken.seconds:.0f} s{times}, {arguments.model}, frames of 100 ms."
    return f"{name}\n\n{body}"
