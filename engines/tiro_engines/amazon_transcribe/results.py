"""The results of the service as words and segments of the engine interface."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tiro_engines.amazon_transcribe.languages import language_of
from tiro_engines.interface import SAMPLE_RATE, Segment, Word
from tiro_engines.whole_words import placed, whole_words, word_probability

PUNCTUATION = "punctuation"
"""`ItemType` of the service's public model. All other items are spoken."""


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
    spoken_language = language_of(result.language_code) if result.language_code else language
    items = _located([item for item in (alternative.items if alternative else None) or () if item.content], text)
    words = [[items[i] for i in word] for word in whole_words([item.piece for item in items], spoken_language)]
    groups = [word for word in words if any(item.is_spoken for item in word)]
    spans = placed([_span(group, origin) for group in groups], origin, sys.maxsize)
    found = [
        ResultWord(_word(group, span, is_partial=result.is_partial), group[-1].text_end)
        for group, span in zip(groups, spans, strict=True)
    ]
    if result.is_partial and found:  # the next item may belong to the last word
        found[-1] = replace(found[-1], word=replace(found[-1].word, stable=False))
    return RecognitionResult(result.result_id or "", not result.is_partial, text, tuple(found), spoken_language)


@dataclass(frozen=True, slots=True)
class _Item:
    """An item of the service: a word, a piece of one, or punctuation."""

    item: Any
    piece: str
    """Its text, with the space before it."""
    text_end: int

    @property
    def is_spoken(self) -> bool:
        return bool(self.item.item_type != PUNCTUATION)


def _located(items: Iterable[Any], text: str) -> list[_Item]:
    """The items, each with its text. One that the text does not have in its place is a word of its own."""
    located: list[_Item] = []
    position = 0
    for item in items:
        found = text.find(item.content, position)
        joins = item.item_type == PUNCTUATION or found == position
        position = found + len(item.content) if found >= 0 else position
        located.append(_Item(item, item.content if joins else f" {item.content}", position))
    return located


def _span(group: Sequence[_Item], origin: int) -> tuple[int, int]:
    """The time of a word: that of its items that are spoken."""
    timed = [item.item for item in group if item.is_spoken]
    return origin + _samples(timed[0].start_time), origin + _samples(timed[-1].end_time)


def _word(group: Sequence[_Item], span: tuple[int, int], *, is_partial: bool) -> Word:
    confidences = [1.0 if item.item.confidence is None else float(item.item.confidence) for item in group]
    pieces = [item.piece for item in group]
    stable = not is_partial or all(item.item.stable for item in group if item.is_spoken)
    return Word("".join(pieces).strip(), *span, word_probability(pieces, confidences), stable)


def _samples(seconds: float | None) -> int:
    return round((seconds or 0.0) * SAMPLE_RATE)
