"""From markers to the words and segments of the engine interface."""

from collections.abc import Sequence
from dataclasses import replace

from tiro_engines.fake.markers import Marker
from tiro_engines.interface import RecognitionOptions, Segment, Word

LANGUAGE = "en"
"""The language that is heard, if it is among those that may be."""


def spoken_language(options: RecognitionOptions) -> str:
    """The language that a request names, or the one that is heard."""
    may_be = options.candidates or {LANGUAGE}
    return options.language or (LANGUAGE if LANGUAGE in may_be else min(may_be))


def word_of(marker: Marker, offset: int) -> Word:
    """The word that a marker stands for. `offset` is the position of the first sample that was searched."""
    return Word(f"w{marker.word}", offset + marker.start, offset + marker.end, probability=1.0)


def segment_of(words: Sequence[Word], *, language: str, word_timestamps: bool, stable: int | None = None) -> Segment:
    """The segment of these words, of which the first `stable` (all by default) are marked stable."""
    count = len(words) if stable is None else stable
    marked = tuple(replace(word, stable=index < count) for index, word in enumerate(words))
    text = " ".join(word.text for word in words)
    return Segment(text, words[0].start, words[-1].end, marked if word_timestamps else (), language)
