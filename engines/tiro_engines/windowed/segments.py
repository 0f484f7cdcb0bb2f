"""From the words of a window to a segment of the session."""

from collections.abc import Sequence

from tiro_engines.interface import Segment, Word
from tiro_engines.windowed.decoder import DecodedWord


def segment_of(
    words: Sequence[DecodedWord], start: int, end: int, language: str, *, with_words: bool, stable: int | None = None
) -> Segment:
    """Place decoded words in the session.

    Args:
        words: At least one, in order.
        start: Where the window begins, absolute.
        end: Where it ends, absolute: no word is placed beyond it, nor before the end of the word before it.
        language: Of all of them.
        with_words: Whether the segment tells its words apart.
        stable: How many of them, from the first on, are stable. All by default.
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
