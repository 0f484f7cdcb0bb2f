"""Choosing where to split an utterance that has become too long."""

from collections.abc import Sequence
from itertools import pairwise

from tiro_engines.windowed.decoder import DecodedWord
from tiro_engines.windowed.endpointer import Pause


def best_pause(pauses: Sequence[Pause]) -> Pause | None:
    """The longest pause; of equal ones the last."""
    return max(reversed(pauses), key=lambda pause: pause.end - pause.start, default=None)


def best_boundary(words: Sequence[DecodedWord], after: int) -> int | None:
    """The number of words before the widest gap after a sample; of equal gaps the last.

    The last word never counts, because the window may end inside it.

    Args:
        words: Words of the window, in order.
        after: The sample of the window: the words that end before it come before the split.

    Returns:
        The number of words before the split, or None where there is no boundary to choose.
    """
    gaps = [
        (following.start - word.end, count)
        for count, (word, following) in enumerate(pairwise(words), start=1)
        if word.end >= after
    ]
    return max(gaps)[1] if gaps else None
