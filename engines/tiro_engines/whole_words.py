"""Whole words from the pieces that a decoder writes: a word is what stands between two spaces of the text.

Decoders write amounts, times and addresses in pieces, as in `1` `,200` `,000` or `www` `.example` `.com`.
"""

from collections.abc import Container, Sequence
from itertools import pairwise
from unicodedata import category

from tiro_engines.interface import SAMPLE_RATE

SPACELESS = frozenset({"ja", "km", "lo", "my", "th", "yue", "zh"})
"""ISO 639 codes of the languages that are written without spaces. A decoder's pieces are their words."""
WORD_SAMPLES_MIN = SAMPLE_RATE * 40 // 1000
"""The shortest word: a highlight, or a cut in the audio, needs some length."""
_OPENING = ("Ps", "Pi")
"""The Unicode categories of opening brackets and quotation marks."""


def whole_words(pieces: Sequence[str], language: str, borders: Container[int] = ()) -> list[range]:
    """Group the pieces of a text into words.

    Args:
        pieces: The pieces, in order. Each begins with the space before it, where the text has one there.
        language: ISO 639 code of the text.
        borders: Indexes of pieces that begin a word in any case.

    Returns:
        For each word the indexes of its pieces: at least one, in order, without gaps. No words for a blank text.
    """
    first = next((index for index, piece in enumerate(pieces) if piece.strip()), None)
    if first is None:
        return []
    later = range(first + 1, len(pieces))
    begins = [0, *(index for index in later if index in borders or _begins(pieces, index, language)), len(pieces)]
    return [range(begin, end) for begin, end in pairwise(begins)]


def word_probability(pieces: Sequence[str], probabilities: Sequence[float]) -> float:
    """The probability of a word: the mean of its pieces', weighted by their letters and digits."""
    weights = [sum(map(str.isalnum, piece)) for piece in pieces]
    total = sum(weights)
    if not total:
        return probabilities[0]
    return sum(weight * each for weight, each in zip(weights, probabilities, strict=True)) / total


def placed(spans: Sequence[tuple[int, int]], start: int, end: int) -> list[tuple[int, int]]:
    """The times of words, corrected: in order, without overlap, inside a window, and none without length.

    Args:
        spans: The start and end of each word, in samples.
        start: The first sample of the window.
        end: The sample after its last one.

    Returns:
        Spans of at least `WORD_SAMPLES_MIN`; of less where the window is too short for that.
    """
    shortest = min(WORD_SAMPLES_MIN, (end - start) // max(1, len(spans)))
    found: list[tuple[int, int]] = []
    earliest = start
    for word_start, word_end in spans:
        begin = max(word_start, earliest)
        earliest = max(word_end, begin + shortest)
        found.append((begin, earliest))
    latest = end
    for index, (begin, finish) in reversed(list(enumerate(found))):
        finish = min(finish, latest)  # noqa: PLW2901 - the corrected value
        latest = min(begin, finish - shortest)
        found[index] = (latest, finish)
    return found


def _begins(pieces: Sequence[str], index: int, language: str) -> bool:
    before, piece = pieces[index - 1], pieces[index]
    if not piece.strip():
        return False
    if piece[0].isspace() or (before and before[-1].isspace()):
        return True
    return language in SPACELESS and _begins_without_space(before, piece)


def _begins_without_space(before: str, piece: str) -> bool:
    """Whether a piece begins a word in a script without spaces.

    Brackets belong to the word inside, other punctuation to the word before it. Western digits and letters join.
    """
    if not before.strip():
        return False
    if category(piece[0]) in _OPENING:
        return True
    after_bracket = category(before[-1]) in _OPENING
    western = before[-1].isascii() and piece[0].isascii()
    return any(map(str.isalnum, piece)) and not after_bracket and not western
