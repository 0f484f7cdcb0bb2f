"""When each word was said: Whisper's cross-attention, aligned by dynamic time warping."""

from statistics import median
from typing import Any

from faster_whisper.transcribe import merge_punctuations

from tiro_transcriber.engines.interface import SAMPLE_RATE
from tiro_transcriber.live.decoder import DecodedWord

_PREPENDED = "\"'“¿([{-"
_APPENDED = "\"'.。,，!！?？:：”)]}、"  # noqa: RUF001 - punctuation of Chinese and Japanese is what it is
_SENTENCE_END = (".", "。", "!", "！", "?", "？")  # noqa: RUF001
DURATION_TO_MEDIAN_MAX = 2.0
"""A word beside a pause gets the pause as well: it is cut to so many times the usual length, as in faster-whisper."""
MEDIAN_SECONDS_MAX = 0.7


def align(whisper: Any, tokenizer: Any, encoded: Any, tokens: list[int], samples: int) -> tuple[DecodedWord, ...]:
    """Place the words that tokens make up in the window they were decoded from.

    Args:
        whisper: The loaded model.
        tokenizer: Of the language.
        encoded: The encoder's output for the window.
        tokens: Text tokens.
        samples: The window's length, without what it was padded with.
    """
    frames = round(samples / SAMPLE_RATE * whisper.frames_per_second)
    found = whisper.find_alignment(tokenizer, [tokens], encoded, frames)
    timings: list[dict[str, Any]] = found[0] if found else []
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
    """Give no word a pause's time: the first one, and those on both sides of a sentence's end."""
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
