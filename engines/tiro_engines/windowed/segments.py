"""Making a segment of the session from the words of a window."""

from collections.abc import Sequence

from tiro_engines.interface import Segment, Word
from tiro_engines.windowed.decoder import DecodedWord


def segment_of(
    words: Sequence[DecodedWord], start: int, end: int, language: str, *, with_words: bool, stable: int | None = None
) -> Segment:
    """A segment of decoded words, with the times of the session.

    Args:
        words: At least one, in order.
        start: The first sample of the window, in the session.
        end: The sample after its last one. No word ends later, or begins before the end of the word before it.
        language: The language of the words.
        with_words: Whether the segment has its words.
        stable: The number of stable words at the beginning. All by default.
    """
    count = len(words) if stable is None else stable
    placed: list[Word] = []
    earliest = start
    for index, word in enumerate(words):
        begin = min(max(start + word.start, earliest), end)
        earliest = min(max(start + word.end, begin), end)
        placed.append(Word(word.text, begin, earliest, word.probability, stable=index < count))
    text = "".join(word.raw for word in words).strip()
    return Segment(text, placed[0].start, placed[-1].end, tuple(placed) if with_words else (), language)
