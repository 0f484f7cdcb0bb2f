"""How much two transcripts differ: words, compared without case and punctuation."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from tiro.speech.v1.transcript_pb2 import Segment

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Difference:
    """What it takes to make one transcript of another."""

    words: int
    """Of the job."""
    shadow_words: int
    edits: int
    """Words put in, left out or replaced: Levenshtein's distance."""


def words_of(segments: Iterable[Segment]) -> list[str]:
    """The words of a transcript."""
    return [word for segment in segments for word in _WORD.findall(segment.text.casefold())]


def difference(words: list[str], shadow_words: list[str]) -> Difference:
    """Compare. Takes a second or so for transcripts of ten hours: not for the event loop."""
    return Difference(len(words), len(shadow_words), Levenshtein.distance(words, shadow_words))
