"""Segments become cues that can be read."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tiro_client.cues import CUE_SECONDS_MAX, CUE_SECONDS_MIN, LINE_COLUMNS_MAX, LINES_MAX, cues_of
from tiro_client.transcript import Segment, Word

Spoken = Callable[..., Segment]

LONG = (
    "He had a small sign for each common word, and people who learned his signs could write as fast as one speaks. " * 4
)


def test_a_short_segment_is_one_cue(spoken: Spoken) -> None:
    """A segment that fits a line is one cue with the segment's own times."""
    (cue,) = cues_of([spoken("Long ago in Rome", 1.0)])
    assert cue.lines == ("Long ago in Rome",)
    assert (cue.start_seconds, cue.end_seconds) == pytest.approx((1.0, 2.6))


def test_a_long_segment_is_cut_at_its_words(spoken: Spoken) -> None:
    """No line is too wide, no cue has three lines or stays too long, and no word is lost."""
    cues = cues_of([spoken(LONG.strip())])
    assert len(cues) > 1
    assert all(len(cue.lines) <= LINES_MAX for cue in cues)
    assert all(cell_len(line) <= LINE_COLUMNS_MAX for cue in cues for line in cue.lines)
    assert all(cue.end_seconds - cue.start_seconds <= CUE_SECONDS_MAX + 1e-9 for cue in cues)
    assert " ".join(line for cue in cues for line in cue.lines).split() == LONG.split()


def test_cues_begin_when_their_words_are_said(spoken: Spoken) -> None:
    """A cue's start is the start of its first word."""
    segment = spoken(LONG.strip(), 10.0)
    starts = {word.start_seconds for word in segment.words}
    assert all(cue.start_seconds in starts for cue in cues_of([segment]))


def test_lines_are_even(spoken: Spoken) -> None:
    """Two lines are about as wide as each other, not a full one and a word."""
    (cue,) = cues_of([spoken("a secretary wrote down every word of a speech", word_seconds=0.3)])
    first, second = cue.lines
    assert abs(cell_len(first) - cell_len(second)) < 10


def test_a_pause_ends_a_cue() -> None:
    """Words on both sides of a long pause do not share a cue."""
    words = (Word("before", 0.0, 0.5), Word("after", 4.0, 4.5))
    cues = cues_of([Segment("before after", 0.0, 4.5, words)])
    assert [cue.lines for cue in cues] == [("before",), ("after",)]


def test_a_short_cue_stays_long_enough_to_be_read() -> None:
    """A cue takes of the pause after it what it needs, and no more than there is."""
    cues = cues_of([Segment("Yes.", 1.0, 1.2), Segment("No.", 1.7, 1.8), Segment("So?", 9.0, 9.1)])
    assert [cue.end_seconds for cue in cues] == pytest.approx([1.7, 1.7 + CUE_SECONDS_MIN, 9.0 + CUE_SECONDS_MIN])


def test_without_words_time_is_spread_over_the_text() -> None:
    """A segment without word times is cut all the same, its time shared out by length."""
    cues = cues_of([Segment(LONG.strip(), 0.0, 40.0)])
    assert len(cues) > 3
    assert cues[-1].end_seconds == pytest.approx(40.0)
    assert " ".join(line for cue in cues for line in cue.lines).split() == LONG.split()


def test_words_that_differ_from_the_text_are_not_used() -> None:
    """Where words and text disagree, the text counts."""
    segment = Segment("twenty one", 0.0, 2.0, (Word("21", 0.0, 2.0),))
    assert [cue.lines for cue in cues_of([segment])] == [("twenty one",)]


def test_scripts_without_spaces_are_cut_at_their_width() -> None:
    """Japanese, two columns a character, is cut to fit, and nothing is inserted between its words."""
    text = "吾輩は猫である名前はまだ無い" * 6
    cues = cues_of([Segment(text, 0.0, 12.0, language="ja")])
    assert all(cell_len(line) <= LINE_COLUMNS_MAX for cue in cues for line in cue.lines)
    assert "".join(line for cue in cues for line in cue.lines) == text


def test_words_of_a_script_without_spaces_stay_joined() -> None:
    """Words are joined as the text joins them."""
    words = (Word("吾輩は", 0.0, 0.5), Word("猫である", 0.5, 1.0))
    (cue,) = cues_of([Segment("吾輩は猫である", 0.0, 1.0, words)])
    assert cue.lines == ("吾輩は猫である",)


def test_a_segment_without_text_has_no_cue() -> None:
    """White space is nothing to show."""
    assert cues_of([Segment("  \n ", 0.0, 1.0)]) == []


@given(st.text(max_size=400), st.floats(0, 36000), st.floats(0, 60))
def test_any_text_fits(text: str, start_seconds: float, length_seconds: float) -> None:
    """Whatever the text is, its cues are narrow enough, in order, and of positive length; no character is lost."""
    cues = cues_of([Segment(text, start_seconds, start_seconds + length_seconds)])
    shown = "".join(line for cue in cues for line in cue.lines)
    assert "".join(shown.split()) == "".join(text.split())
    for cue in cues:
        assert len(cue.lines) <= LINES_MAX
        assert all(cell_len(line) <= LINE_COLUMNS_MAX for line in cue.lines)
        assert cue.end_seconds > cue.start_seconds
    for before, after in pairwise(cues):
        assert before.start_seconds <= after.start_seconds
