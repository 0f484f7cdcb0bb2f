"""Making a segment of the session from the words of a window."""

from collections.abc import Sequence

from tiro_engines.interface import Segment, Word
from tiro_engines.whole_words import placed
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
    spans = placed([(start + word.start, start + word.end) for word in words], start, end)
    timed = tuple(
        Word(word.text, *span, word.probability, stable=index < count)
        for index, (word, span) in enumerate(zip(words, spans, strict=True))
    )
    text = "".join(word.raw for word in words).strip()
    return Segment(text, timed[0].start, timed[-1].end, timed if with_words else (), language)
