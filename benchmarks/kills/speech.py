"""Speech with the time of each word, so that a kill can happen in the middle of a sentence."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tiro_engines.fake.markers import MARKER_SAMPLES, encode
from tiro_engines.interface import SAMPLE_RATE

SENTENCE_GAP_SECONDS = 0.5
"""Words further apart belong to two sentences."""
PAUSE_MS = 800
"""Between the sentences of markers: longer than the silence that ends an utterance."""
SENTENCE_WORDS = (5, 15)
"""The number of words in a sentence of markers, at least and at most. A word takes 0.3 s."""


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word, and when it is spoken, in seconds of the speech."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Speech:
    """PCM16 at `SAMPLE_RATE`, and the words in it."""

    pcm16: bytes
    words: Sequence[SpokenWord]

    def mid_sentence(self, seconds: float) -> float | None:
        """The first moment from `seconds` on within a sentence. None: there is none left."""
        for before, after in zip(self.words, self.words[1:], strict=False):
            if after.start - before.end < SENTENCE_GAP_SECONDS and after.start > seconds:
                return max(seconds, before.start)
        return None


def marker_speech(rng: random.Random, first_word: int, sentences: int) -> Speech:
    """Sentences of word markers, numbered from `first_word` on."""
    pieces: list[NDArray[np.int16]] = []
    words: list[SpokenWord] = []
    position = 0
    for _ in range(sentences):
        numbers = range(first_word + len(words), first_word + len(words) + rng.randint(*SENTENCE_WORDS))
        samples = encode(numbers)
        each = len(samples) // len(numbers)
        for index, number in enumerate(numbers):
            start = position + index * each
            words.append(SpokenWord(f"w{number}", start / SAMPLE_RATE, (start + MARKER_SAMPLES) / SAMPLE_RATE))
        pause = np.zeros(SAMPLE_RATE * PAUSE_MS // 1000, dtype=np.int16)
        pieces += [samples, pause]
        position += len(samples) + len(pause)
    return Speech(np.concatenate(pieces).astype("<i2").tobytes(), words)
