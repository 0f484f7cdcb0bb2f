"""The times of words: Whisper's cross-attention, aligned by dynamic time warping."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import median
from typing import Any

from tiro_engines.faster_whisper.repetition import spoken_count
from tiro_engines.interface import SAMPLE_RATE
from tiro_engines.whole_words import SPACELESS, placed, whole_words, word_probability
from tiro_engines.windowed.decoder import DecodedWord

_SENTENCE_END = (".", "。", "!", "！", "?", "？")  # noqa: RUF001
DURATION_TO_MEDIAN_MAX = 2.0
"""A word beside a pause gets the pause as well: it is shortened to this many median lengths, as in faster-whisper."""
MEDIAN_SECONDS_MAX = 0.7
"""The longest median length that counts, as in faster-whisper."""

WORDS_PER_SECOND_MAX = 7
"""The fastest repetition that is speech."""
CHARACTERS_PER_SECOND_MAX = 25
"""The same in languages without spaces, where most words are single characters."""


@dataclass(frozen=True, slots=True)
class WindowText:
    """The text of a window, to be aligned with its audio."""

    tokens: list[int]
    """Empty where the window has no text."""
    samples: int
    """The length of the window, without its pad."""
    borders: Collection[int] = ()
    """Numbers of tokens after which a word begins in any case."""


def align(whisper: Any, tokenizer: Any, encoded: Any, texts: Sequence[WindowText]) -> list[tuple[DecodedWord, ...]]:
    """The words of windows with their times.

    Args:
        whisper: The loaded model.
        tokenizer: The tokenizer of the language.
        encoded: The encoder's output for the windows.
        texts: The text of each window.
    """
    if not any(text.tokens for text in texts):
        return [()] * len(texts)
    frames = [round(text.samples / SAMPLE_RATE * whisper.frames_per_second) for text in texts]
    found = whisper.find_alignment(tokenizer, [text.tokens for text in texts], encoded, frames)
    return [_words(timings, text, tokenizer.language_code) for timings, text in zip(found, texts, strict=True)]


def _words(timings: list[dict[str, Any]], text: WindowText, language: str) -> tuple[DecodedWord, ...]:
    _shorten_beside_pauses(timings)
    tokens_before = accumulate((len(timing["tokens"]) for timing in timings), initial=0)
    begins = {index for index, tokens in enumerate(tokens_before) if tokens in text.borders}
    groups = [
        [timings[index] for index in word]
        for word in whole_words([timing["word"] for timing in timings], language, begins)
    ]
    groups = groups[: _spoken_count(groups, language, text)]
    times = [(_samples(word[0]["start"]), _samples(word[-1]["end"])) for word in groups]
    spans = placed(times, 0, text.samples)
    return tuple(_joined(word, span, language) for word, span in zip(groups, spans, strict=True))


def _spoken_count(groups: Sequence[Sequence[dict[str, Any]]], language: str, text: WindowText) -> int:
    """The number of words without those that a loop has added. Forced tokens stay."""
    tokens = accumulate(sum(len(timing["tokens"]) for timing in group) for group in groups)
    forced = sum(count <= max(text.borders, default=0) for count in tokens)
    spelled = ["".join(filter(str.isalnum, "".join(timing["word"] for timing in group).casefold())) for group in groups]
    spans = [(group[0]["start"], group[-1]["end"]) for group in groups]
    most = CHARACTERS_PER_SECOND_MAX if language in SPACELESS else WORDS_PER_SECOND_MAX
    return max(forced, spoken_count(spelled, spans, most))


def _joined(timings: Sequence[dict[str, Any]], span: tuple[int, int], language: str) -> DecodedWord:
    """The word of some pieces.

    Whisper sometimes writes the first word of a window without a space. It gets one, else two windows' texts would join
    their words.
    """
    pieces = [timing["word"] for timing in timings]
    raw = "".join(pieces)
    probability = word_probability(pieces, [float(timing["probability"]) for timing in timings])
    tokens = tuple(token for timing in timings for token in timing["tokens"])
    return DecodedWord(raw if language in SPACELESS or raw[0].isspace() else f" {raw}", *span, probability, tokens)


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)


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
