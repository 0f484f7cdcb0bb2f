"""The difference of two transcripts: words, compared without case and punctuation."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from tiro.speech.v1.transcript_pb2 import Segment

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of a job's transcript and its shadow's."""

    words: int
    """The number of words of the job's transcript."""
    shadow_words: int
    edits: int
    """Words inserted, left out or replaced: Levenshtein's distance."""


def words_of(segments: Iterable[Segment]) -> list[str]:
    """The words of a transcript."""
    return [word for segment in segments for word in _WORD.findall(segment.text.casefold())]


def difference(words: list[str], shadow_words: list[str]) -> Difference:
    """Compare two transcripts. It takes about a second for ten hours, so call it outside of the event loop."""
    return Difference(len(words), len(shadow_words), Levenshtein.distance(words, shadow_words))
