"""The positions of a segment's words in its text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tiro_engines.interface import Word


@dataclass(frozen=True, slots=True)
class WordSpan:
    """A word, and its characters in a text."""

    word: Word
    start: int
    end: int


def locate(words: Iterable[Word], text: str) -> Sequence[WordSpan] | None:
    """Find the words in a text, in order. None where one is not found."""
    spans: list[WordSpan] = []
    position = 0
    for word in words:
        start = text.find(word.text, position)
        if start < 0:
            return None
        position = start + len(word.text)
        spans.append(WordSpan(word, start, position))
    return spans


def joined(words: Sequence[Word]) -> tuple[str, Sequence[WordSpan]]:
    """The words as a text, with spaces between them, and their spans in it."""
    spans: list[WordSpan] = []
    position = 0
    for word in words:
        spans.append(WordSpan(word, position, position + len(word.text)))
        position += len(word.text) + 1
    return " ".join(word.text for word in words), spans
