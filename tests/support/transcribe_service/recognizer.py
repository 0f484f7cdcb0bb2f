"""Recognition of one channel: markers are words, and a pause ends an utterance."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tiro_engines.fake.markers import MARKER_SAMPLES, find
from tiro_engines.interface import SAMPLE_RATE

_FULL_SCALE = 32768
_SILENT_BELOW = 512
"""Half a level of a marker."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word. Times are samples from the beginning of the stream."""

    text: str
    start: int
    end: int


@dataclass(slots=True)
class Utterance:
    """Words between two pauses."""

    number: int
    words: list[Word] = field(default_factory=list)
    result_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True, slots=True)
class Result:
    """A result for an utterance: its words so far, or all of them."""

    utterance: Utterance
    words: tuple[Word, ...]
    is_partial: bool


class ChannelRecognizer:
    """Recognizes markers in one channel at 16 kHz."""

    def __init__(self, pause_seconds: float) -> None:
        self._pause = int(pause_seconds * SAMPLE_RATE)
        self._pending: NDArray[np.int16] = np.zeros(0, dtype=np.int16)
        self._position = 0
        self._last_sound = 0
        self._utterance = Utterance(0)

    def accept(self, pcm: NDArray[np.int16]) -> Iterator[Result]:
        """Process audio, shape (n,), and yield its results: a partial for each word, a final for each pause."""
        loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) >= _SILENT_BELOW)
        if len(loud):
            self._last_sound = self._position + int(loud[-1]) + 1
        self._position += len(pcm)
        for word in self._new_words(pcm):
            if self._utterance.words and word.start - self._utterance.words[-1].end >= self._pause:
                yield self._end_utterance()
            self._utterance.words.append(word)
            yield Result(self._utterance, tuple(self._utterance.words), is_partial=True)
        if self._utterance.words and self._position - self._last_sound >= self._pause:
            yield self._end_utterance()

    def finish(self) -> Iterator[Result]:
        """End the audio, and yield a final for the open utterance."""
        if self._utterance.words:
            yield self._end_utterance()

    def _new_words(self, pcm: NDArray[np.int16]) -> Iterator[Word]:
        samples = np.concatenate((self._pending, pcm))
        origin = self._position - len(samples)
        processed = max(0, len(samples) - MARKER_SAMPLES)
        for marker in find(samples.astype(np.float32) / np.float32(_FULL_SCALE)):
            processed = max(processed, marker.end)
            yield Word(f"w{marker.word}", origin + marker.start, origin + marker.end)
        self._pending = samples[processed:]

    def _end_utterance(self) -> Result:
        ended = self._utterance
        self._utterance = Utterance(ended.number + 1)
        return Result(ended, tuple(ended.words), is_partial=False)
