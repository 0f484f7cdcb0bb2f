"""Splitting segments at pauses, so that the turns of speakers on several channels can be ordered by time."""

from itertools import pairwise

from tiro_engines.interface import SAMPLE_RATE, Segment, Word
from tiro_transcriber.pipeline.word_spans import locate

PAUSE_SAMPLES = SAMPLE_RATE
"""The pause that ends a turn: another speaker may speak in it."""


def turns(segment: Segment) -> list[Segment]:
    """The turns of a segment, split at its pauses. One turn where it has no words, or they are not in its text."""
    spans = locate(segment.words, segment.text)
    if not spans:
        return [segment]
    groups: list[list[Word]] = [[]]
    ends: list[int] = []
    for span, following in zip(spans, [*spans[1:], None], strict=True):
        groups[-1].append(span.word)
        if following is not None and following.word.start - span.word.end >= PAUSE_SAMPLES:
            groups.append([])
            ends.append(span.end)
    limits = [0, *ends, spans[-1].end]
    return [
        Segment(segment.text[begin:end].strip(), words[0].start, words[-1].end, tuple(words), segment.language)
        for words, (begin, end) in zip(groups, pairwise(limits), strict=True)
    ]
