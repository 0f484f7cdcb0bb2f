"""The times of words: Whisper's cross-attention, aligned by dynamic time warping."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from faster_whisper.transcribe import merge_punctuations

from tiro_engines.interface import SAMPLE_RATE
from tiro_engines.windowed.decoder import DecodedWord

_PREPENDED = "\"'“¿([{-"
_APPENDED = "\"'.。,，!！?？:：”)]}、"  # noqa: RUF001 - punctuation of Chinese and Japanese is what it is
_SENTENCE_END = (".", "。", "!", "！", "?", "？")  # noqa: RUF001
DURATION_TO_MEDIAN_MAX = 2.0
"""A word beside a pause gets the pause as well: it is shortened to this many median lengths, as in faster-whisper."""
MEDIAN_SECONDS_MAX = 0.7
"""The longest median length that counts, as in faster-whisper."""


def align(
    whisper: Any, tokenizer: Any, encoded: Any, texts: Sequence[list[int]], lengths: Sequence[int]
) -> list[tuple[DecodedWord, ...]]:
    """The words of windows with their times.

    Args:
        whisper: The loaded model.
        tokenizer: The tokenizer of the language.
        encoded: The encoder's output for the windows.
        texts: Text tokens of each window; empty where it has no text.
        lengths: The samples of each window, without its pad.
    """
    if not any(texts):
        return [()] * len(texts)
    frames = [round(samples / SAMPLE_RATE * whisper.frames_per_second) for samples in lengths]
    return [_words(timings) for timings in whisper.find_alignment(tokenizer, list(texts), encoded, frames)]


def _words(timings: list[dict[str, Any]]) -> tuple[DecodedWord, ...]:
    _shorten_beside_pauses(timings)
    merge_punctuations(timings, _PREPENDED, _APPENDED)
    return tuple(
        DecodedWord(
            timing["word"],
            round(timing["start"] * SAMPLE_RATE),
            round(timing["end"] * SAMPLE_RATE),
            float(timing["probability"]),
            tuple(timing["tokens"]),
        )
        for timing in timings
        if timing["word"]
    )


def _shorten_beside_pauses(timings: list[dict[str, Any]]) -> None:
    """Take the time of pauses from words: from the first one, and from those on both sides of a sentence's end."""
    lengths = [timing["end"] - timing["start"] for timing in timings if timing["end"] > timing["start"]]
    if not lengths:
        return
    longest = DURATION_TO_MEDIAN_MAX * min(median(lengths), MEDIAN_SECONDS_MAX)
    for before, timing in zip([None, *timings], timings, strict=False):
        if timing["end"] - timing["start"] <= longest:
            continue
        if timing["word"] in _SENTENCE_END:
            timing["end"] = timing["start"] + longest
        elif before is None or before["word"] in _SENTENCE_END:
            timing["start"] = timing["end"] - longest
