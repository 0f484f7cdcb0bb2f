"""Splits the words of a speech segment into segments to read: sentences, and speech between pauses."""

from collections.abc import Sequence

from tiro_engines.interface import SAMPLE_RATE
from tiro_engines.windowed.decoder import DecodedWord

ENDS = (".", "?", "!", "。", "？", "！", "…")  # noqa: RUF001 - punctuation of Chinese and Japanese is what it is
BREATH_SECONDS = 0.2
"""The pause after a sentence. It distinguishes a full stop from that of an abbreviation."""
PAUSE_SECONDS = 1.0
"""A pause that ends a segment without a full stop."""
SEGMENT_SECONDS_MAX = 15.0


def sentences(words: Sequence[DecodedWord]) -> list[Sequence[DecodedWord]]:
    """Split words, in order, into segments of at least one word. No segments for no words."""
    segments: list[Sequence[DecodedWord]] = []
    begin = 0
    for index in range(1, len(words) + 1):
        if index == len(words) or _ends_between(words[index - 1], words[index]):
            segments += _bounded(words[begin:index])
            begin = index
    return segments


def _ends_between(word: DecodedWord, following: DecodedWord) -> bool:
    pause = _pause(word, following)
    return pause >= PAUSE_SECONDS or (pause >= BREATH_SECONDS and word.text.endswith(ENDS))


def _bounded(words: Sequence[DecodedWord]) -> list[Sequence[DecodedWord]]:
    """Split a segment that is too long at its longest pause; of equal ones, at the one nearest to its middle."""
    if len(words) < 2 or words[-1].end - words[0].start <= SEGMENT_SECONDS_MAX * SAMPLE_RATE:  # noqa: PLR2004
        return [words] if words else []
    middle = (words[0].start + words[-1].end) / 2

    def fitness(index: int) -> tuple[float, float]:
        return _pause(words[index - 1], words[index]), -abs(words[index].start - middle)

    split = max(range(1, len(words)), key=fitness)
    return [*_bounded(words[:split]), *_bounded(words[split:])]


def _pause(word: DecodedWord, following: DecodedWord) -> float:
    return (following.start - word.end) / SAMPLE_RATE
