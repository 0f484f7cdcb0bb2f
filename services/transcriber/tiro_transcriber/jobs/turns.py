"""Segments cut at pauses, so that what several speakers say in turns can be put in the order of its time."""

from itertools import pairwise

from tiro_engines.interface import SAMPLE_RATE, Segment, Word

PAUSE_SAMPLES = SAMPLE_RATE
"""A speaker who is silent for a second may have left the turn to another."""


def turns(segment: Segment) -> list[Segment]:
    """A segment cut where its speaker pauses. Whole where its words are not known, or not found in its text."""
    groups: list[list[Word]] = [[]]
    for word, following in pairwise((*segment.words, None)):
        if word is not None:
            groups[-1].append(word)
            if following is not None and following.start - word.end >= PAUSE_SAMPLES:
                groups.append([])
    cut: list[Segment] = []
    position = 0
    for group in groups:
        begin = position
        for word in group:
            found = segment.text.find(word.text, position)
            if found < 0:
                return [segment]
            position = found + len(word.text)
        if group:
            text = segment.text[begin:position].strip()
            cut.append(Segment(text, group[0].start, group[-1].end, tuple(group), segment.language))
    return cut or [segment]
