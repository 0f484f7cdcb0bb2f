"""The words of a recording, and when each one ends."""

import json
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from faster_whisper import decode_audio

from benchmarks.live.shown_words import ShownWord
from benchmarks.shared.pacing import RATE
from deploy.local.stack import MODELS
from tiro_engines.interface import EngineSettings, RecognitionOptions, Window
from tiro_engines.registry import find_engine

ENGINE = "faster-whisper"


@dataclass(frozen=True, slots=True)
class Spoken:
    """A recording that is played a number of times in a row. Times in seconds from the beginning of the recording."""

    words: list[ShownWord]
    seconds: float
    """Its duration."""
    times: int = 1

    @property
    def text(self) -> str:
        """The text of all repetitions."""
        return " ".join([word.text for word in self.words] * self.times)


def pcm_of(recording: Path) -> bytes:
    """A recording in any format as PCM16, one channel."""
    samples = decode_audio(str(recording), sampling_rate=RATE)
    return bytes((samples * 32767).astype("<i2").tobytes())


def words_of(recording: Path, words: Path | None, model: str) -> list[ShownWord]:
    """Read the words from a file, or transcribe the whole recording.

    Args:
        recording: In any format.
        words: JSON with {"words": [[text, start, end], ...]}, in seconds.
        model: Transcribes the recording if there is no such file.
    """
    if words is not None:
        entries = json.loads(words.read_text())["words"]
        return [ShownWord(text, float(start), float(end), stable=True) for text, start, end in entries]
    settings = EngineSettings(models_dir=str(MODELS), device="cpu", threads=2, parallel=1)
    engine = find_engine(ENGINE).load(model, settings)
    found: list[ShownWord] = []
    engine.transcribe(
        Window(decode_audio(str(recording), sampling_rate=RATE), 0),
        RecognitionOptions("en"),
        lambda segment: found.extend(
            ShownWord(word.text, word.start / RATE, word.end / RATE, stable=True) for word in segment.words
        ),
        Event(),
    )
    engine.close()
    return found
