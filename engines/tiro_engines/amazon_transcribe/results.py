"""The results of the service as words and segments of the engine interface."""

from dataclasses import dataclass
from typing import Any

from tiro_engines.amazon_transcribe.languages import language_of
from tiro_engines.interface import SAMPLE_RATE, Segment, Word

PUNCTUATION = "punctuation"
"""`ItemType` of the service's public model. All other items are words."""


@dataclass(frozen=True, slots=True)
class ResultWord:
    """A word with its punctuation."""

    word: Word
    text_end: int
    """The end of the word in the text of its result."""


@dataclass(frozen=True, slots=True)
class RecognitionResult:
    """A result of the service. Later ones with the same id replace it; the last of them is final."""

    result_id: str
    is_final: bool
    text: str
    words: tuple[ResultWord, ...]
    language: str

    def segment(self, begin: int, end: int, *, with_words: bool) -> Segment:
        """The segment of some of its words, at least one.

        Args:
            begin: The first word.
            end: The word after the last one.
            with_words: Whether the segment has its words.
        """
        chosen = self.words[begin:end]
        text_begin = self.words[begin - 1].text_end if begin else 0
        text = self.text[text_begin : chosen[-1].text_end].strip()
        words = tuple(item.word for item in chosen)
        return Segment(text, words[0].start, words[-1].end, words if with_words else (), self.language)


def to_result(result: Any, origin: int, language: str) -> RecognitionResult:
    """Convert a result of the SDK. It may have no words.

    Args:
        result: `amazon_transcribe.model.Result`.
        origin: The first sample of its stream: the service counts seconds from there.
        language: The language of the request. Where it was to be identified, the result of the SDK has it.
    """
    alternative = result.alternatives[0] if result.alternatives else None
    text = (alternative.transcript or "") if alternative else ""
    words: list[ResultWord] = []
    position, earliest = 0, origin
    for item in (alternative.items if alternative else None) or ():
        content = item.content or ""
        found = text.find(content, position)
        position = found + len(content) if found >= 0 else position
        if item.item_type == PUNCTUATION:
            if words:
                words[-1] = _punctuated(words[-1], content, position)
            continue
        start = max(origin + _samples(item.start_time), earliest)
        earliest = max(origin + _samples(item.end_time), start)
        probability = 1.0 if item.confidence is None else float(item.confidence)
        stable = not result.is_partial or bool(item.stable)
        words.append(ResultWord(Word(content, start, earliest, probability, stable), position))
    spoken_language = language_of(result.language_code) if result.language_code else language
    return RecognitionResult(result.result_id or "", not result.is_partial, text, tuple(words), spoken_language)


def _punctuated(before: ResultWord, mark: str, text_end: int) -> ResultWord:
    word = before.word
    return ResultWord(Word(word.text + mark, word.start, word.end, word.probability, word.stable), text_end)


def _samples(seconds: float | None) -> int:
    return round((seconds or 0.0) * SAMPLE_RATE)
