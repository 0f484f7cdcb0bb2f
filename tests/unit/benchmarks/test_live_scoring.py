"""Scores of live streams."""

from typing import Any

import pytest

from benchmarks.live.reference import Spoken
from benchmarks.live.scoring import Scores, score
from benchmarks.live.shown_words import ShownWord

BEGUN = 100.0
"""The start of a stream, by its clock."""


def words_of(text: str, begin: float = 0.0) -> list[ShownWord]:
    """Words of 0.4 s, one each half second."""
    return [ShownWord(word, begin + i / 2, begin + i / 2 + 0.4, stable=False) for i, word in enumerate(text.split())]


def event(at: float, kind: str, text: str, begin: float = 0.0) -> tuple[float, str, list[tuple[Any, ...]]]:
    """An event, `at` seconds after the start."""
    return BEGUN + at, kind, [(word.text, word.start, word.end, word.stable) for word in words_of(text, begin)]


def scored(spoken: Spoken, *events: tuple[float, str, Any], half_closed: float = 10.0) -> Scores:
    """Score one stream."""
    scores = Scores()
    score({"begun": BEGUN, "half_closed": BEGUN + half_closed, "events": events, "error": ""}, spoken, scores)
    return scores


def test_a_word_is_timed_from_when_it_is_shown_for_good() -> None:
    """A word that a partial dropped is timed from its return; a word that stayed, from its first partial."""
    scores = scored(
        Spoken(words_of("one two"), 10.0),
        event(1.0, "partial", "one two"),
        event(1.5, "partial", "one"),
        event(2.0, "partial", "one two"),
        event(3.0, "final", "One two."),
    )
    # Their last samples are sent after 0.4 and 0.9 s.
    assert scores.shown == pytest.approx([0.6, 1.1])
    assert scores.complete == 1


def test_a_word_that_only_the_final_has_is_timed_from_the_final() -> None:
    """Another word at the same position in partials does not count."""
    scores = scored(Spoken(words_of("in"), 10.0), event(0.5, "partial", "and"), event(3.0, "final", "in"))
    assert scores.shown == pytest.approx([2.6])


def test_words_of_a_repeated_recording_are_matched_in_their_own_turn() -> None:
    """Words of a lost turn are not matched with those of another turn."""
    scores = scored(
        Spoken(words_of("one two"), 10.0, times=3),
        event(1.0, "final", "one two"),
        event(21.0, "final", "one two", begin=20.0),
        half_closed=30.0,
    )
    assert scores.shown == pytest.approx([0.6, 0.1, 0.6, 0.1])
    assert scores.complete == 0


def test_the_last_word_and_the_last_final_are_timed_from_the_end_of_the_audio() -> None:
    """The last word is timed by its first partial, and the last final by itself."""
    words = Spoken(words_of("one two"), 1.0)
    scores = scored(words, event(1.2, "partial", "one two"), event(2.0, "final", "one two"), half_closed=1.0)
    assert scores.last_word == pytest.approx([0.2])
    assert scores.last_final == pytest.approx([1.0])
