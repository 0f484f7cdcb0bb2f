"""How live streams are scored."""

from typing import Any

import pytest

from benchmarks.live.reference import Spoken
from benchmarks.live.scoring import Scores, score
from benchmarks.live.shown_words import ShownWord

BEGUN = 100.0
"""When a stream begins, by its clock."""


def said(text: str, begin: float = 0.0) -> list[ShownWord]:
    """Words of 0.4 s, one each half second."""
    return [ShownWord(word, begin + i / 2, begin + i / 2 + 0.4, stable=False) for i, word in enumerate(text.split())]


def event(at: float, kind: str, text: str, begin: float = 0.0) -> tuple[float, str, list[tuple[Any, ...]]]:
    """What came so many seconds after the beginning."""
    return BEGUN + at, kind, [(word.text, word.start, word.end, word.stable) for word in said(text, begin)]


def scored(spoken: Spoken, *events: tuple[float, str, Any], half_closed: float = 10.0) -> Scores:
    """Score one stream."""
    scores = Scores()
    score({"begun": BEGUN, "half_closed": BEGUN + half_closed, "events": events, "error": ""}, spoken, scores)
    return scores


def test_a_word_counts_from_when_it_shows_and_stays() -> None:
    """A word that a later partial dropped for a moment counts from its coming back; one that stayed from its first."""
    scores = scored(
        Spoken(said("one two"), 10.0),
        event(1.0, "partial", "one two"),
        event(1.5, "partial", "one"),
        event(2.0, "partial", "one two"),
        event(3.0, "final", "One two."),
    )
    # Their last samples are sent after 0.4 and 0.9 s.
    assert scores.shown == pytest.approx([0.6, 1.1])
    assert scores.complete == 1


def test_a_word_that_the_final_spells_differently_counts_from_the_final() -> None:
    """What the partials had in its place was not this word."""
    scores = scored(Spoken(said("in"), 10.0), event(0.5, "partial", "and"), event(3.0, "final", "in"))
    assert scores.shown == pytest.approx([2.6])


def test_words_of_a_recording_that_is_played_again_are_found_in_their_own_turn() -> None:
    """A turn that was lost is not taken from another one, and its words' latency is not that of the others."""
    scores = scored(
        Spoken(said("one two"), 10.0, times=3),
        event(1.0, "final", "one two"),
        event(21.0, "final", "one two", begin=20.0),
        half_closed=30.0,
    )
    assert scores.shown == pytest.approx([0.6, 0.1, 0.6, 0.1])
    assert scores.complete == 0


def test_the_last_word_is_told_after_the_audio() -> None:
    """A word that had shown before its final is not late with it, and the final is."""
    words = Spoken(said("one two"), 1.0)
    scores = scored(words, event(1.2, "partial", "one two"), event(2.0, "final", "one two"), half_closed=1.0)
    assert scores.last_word == pytest.approx([0.2])
    assert scores.last_final == pytest.approx([1.0])
