"""What is heard in one channel: markers are words, and a pause ends an utterance."""

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
class HeardWord:
    """One word. Times are samples from the beginning of the stream."""

    text: str
    start: int
    end: int


@dataclass(slots=True)
class Utterance:
    """What is heard between two pauses."""

    number: int
    words: list[HeardWord] = field(default_factory=list)
    result_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True, slots=True)
class Heard:
    """A view of an utterance: its words so far, or all of them."""

    utterance: Utterance
    words: tuple[HeardWord, ...]
    is_partial: bool


class Hearing:
    """Listens to one channel at 16 kHz."""

    def __init__(self, pause_seconds: float) -> None:
        self._pause = int(pause_seconds * SAMPLE_RATE)
        self._unheard: NDArray[np.int16] = np.zeros(0, dtype=np.int16)
        self._position = 0
        self._last_sound = 0
        self._utterance = Utterance(0)

    def listen(self, pcm: NDArray[np.int16]) -> Iterator[Heard]:
        """Take audio, shape (n,), and yield what it changes: each word makes a partial, each pause a final."""
        loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) >= _SILENT_BELOW)
        if len(loud):
            self._last_sound = self._position + int(loud[-1]) + 1
        self._position += len(pcm)
        for word in self._new_words(pcm):
            if self._utterance.words and word.start - self._utterance.words[-1].end >= self._pause:
                yield self._end_utterance()
            self._utterance.words.append(word)
            yield Heard(self._utterance, tuple(self._utterance.words), is_partial=True)
        if self._utterance.words and self._position - self._last_sound >= self._pause:
            yield self._end_utterance()

    def finish(self) -> Iterator[Heard]:
        """There is no more audio: what is open becomes final."""
        if self._utterance.words:
            yield self._end_utterance()

    def _new_words(self, pcm: NDArray[np.int16]) -> Iterator[HeardWord]:
        samples = np.concatenate((self._unheard, pcm))
        origin = self._position - len(samples)
        heard = max(0, len(samples) - MARKER_SAMPLES)
        for marker in find(samples.astype(np.float32) / np.float32(_FULL_SCALE)):
            heard = max(heard, marker.end)
            yield HeardWord(f"w{marker.word}", origin + marker.start, origin + marker.end)
        self._unheard = samples[heard:]

    def _end_utterance(self) -> Heard:
        ended = self._utterance
        self._utterance = Utterance(ended.number + 1)
        return Heard(ended, tuple(ended.words), is_partial=False)
