"""The split of segments into readable cues."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.unit.formats.speech import segment, spoken, word
from tiro.transcription.v1.transcription_service_pb2 import SubtitleOptions
from tiro_formats.cues import CUE_LINES_MAX, CUE_MS_MAX, CUE_MS_MIN, LINE_COLUMNS_MAX, cues_of

LONG = (
    "He had a small sign for each common word, and people who learned his signs could write as fast as one speaks. " * 4
)


def test_a_short_segment_is_one_cue() -> None:
    """A segment that fits a line is one cue with the segment's own times."""
    (cue,) = cues_of([spoken("Long ago in Rome", 1.0)])
    assert cue.lines == ("Long ago in Rome",)
    assert (cue.start_ms, cue.end_ms) == (1000, 2600)


def test_a_long_segment_is_split_at_its_words() -> None:
    """Lines, cues and times are within their limits, and no word is lost."""
    cues = cues_of([spoken(LONG.strip())])
    assert len(cues) > 1
    assert all(len(cue.lines) <= CUE_LINES_MAX for cue in cues)
    assert all(cell_len(line) <= LINE_COLUMNS_MAX for cue in cues for line in cue.lines)
    assert all(cue.end_ms - cue.start_ms <= CUE_MS_MAX for cue in cues)
    assert " ".join(line for cue in cues for line in cue.lines).split() == LONG.split()


def test_cues_begin_with_their_first_word() -> None:
    """A cue's start is the start of its first word."""
    said = spoken(LONG.strip(), 10.0)
    starts = {item.start_offset.ToMilliseconds() for item in said.words}
    assert all(cue.start_ms in starts for cue in cues_of([said]))


def test_lines_are_even() -> None:
    """Two lines of a cue have about the same width."""
    (cue,) = cues_of([spoken("a secretary wrote down every word of a speech", word_seconds=0.3)])
    first, second = cue.lines
    assert abs(cell_len(first) - cell_len(second)) < 10


def test_a_pause_ends_a_cue() -> None:
    """Words on both sides of a long pause do not share a cue."""
    words = (word("before", 0.0, 0.5), word("after", 4.0, 4.5))
    cues = cues_of([segment("before after", 0.0, 4.5, words)])
    assert [cue.lines for cue in cues] == [("before",), ("after",)]


def test_a_short_cue_stays_long_enough_to_be_read() -> None:
    """A short cue is extended into the pause after it, up to the next cue."""
    cues = cues_of([segment("Yes.", 1.0, 1.2), segment("No.", 1.7, 1.8), segment("So?", 9.0, 9.1)])
    assert [cue.end_ms for cue in cues] == [1700, 1700 + CUE_MS_MIN, 9000 + CUE_MS_MIN]


def test_without_words_time_is_spread_over_the_text() -> None:
    """A segment without word times is split, too. Its time is divided by the length of the text."""
    cues = cues_of([segment(LONG.strip(), 0.0, 40.0)])
    assert len(cues) > 3
    assert cues[-1].end_ms == 40_000
    assert " ".join(line for cue in cues for line in cue.lines).split() == LONG.split()


def test_words_that_differ_from_the_text_are_not_used() -> None:
    """The text counts if it differs from the words."""
    said = segment("twenty one", 0.0, 2.0, (word("21", 0.0, 2.0),))
    assert [cue.lines for cue in cues_of([said])] == [("twenty one",)]


def test_scripts_without_spaces_are_split_at_their_width() -> None:
    """Japanese, two columns a character, is split to fit, and nothing is inserted between its words."""
    text = "吾輩は猫である名前はまだ無い" * 6
    cues = cues_of([segment(text, 0.0, 12.0)])
    assert all(cell_len(line) <= LINE_COLUMNS_MAX for cue in cues for line in cue.lines)
    assert "".join(line for cue in cues for line in cue.lines) == text


def test_words_of_a_script_without_spaces_stay_joined() -> None:
    """Words are joined as the text joins them."""
    words = (word("吾輩は", 0.0, 0.5), word("猫である", 0.5, 1.0))
    (cue,) = cues_of([segment("吾輩は猫である", 0.0, 1.0, words)])
    assert cue.lines == ("吾輩は猫である",)


def test_a_segment_without_text_has_no_cue() -> None:
    """A segment of white space has no cue."""
    assert cues_of([segment("  \n ", 0.0, 1.0)]) == []


def test_a_cue_stays_for_its_reading_time() -> None:
    """A cue of fast speech stays for its length divided by the reading speed, up to the limit."""
    text = "x" * 34
    assert [cue.end_ms for cue in cues_of([segment(text, 0.0, 0.5)])] == [2000]
    assert [cue.end_ms for cue in cues_of([segment(text, 0.0, 0.5)], SubtitleOptions(reading_speed=10))] == [3400]
    assert [cue.end_ms for cue in cues_of([segment(text, 0.0, 0.5)], SubtitleOptions(reading_speed=2))] == [CUE_MS_MAX]


def test_lines_and_columns_are_as_requested() -> None:
    """Narrow columns make narrow lines, and one line a cue makes more cues."""
    said = spoken(LONG.strip())
    narrow = cues_of([said], SubtitleOptions(line_columns_max=12, cue_lines_max=5))
    assert max(cell_len(line) for cue in narrow for line in cue.lines) <= 12
    assert max(len(cue.lines) for cue in narrow) == 5
    single = cues_of([said], SubtitleOptions(cue_lines_max=1))
    assert {len(cue.lines) for cue in single} == {1}
    assert len(single) > len(cues_of([said]))


def test_the_last_cue_ends_before_the_next_page() -> None:
    """The last cue of a page does not overlap the first one of the next page."""
    (cue,) = cues_of([segment("Yes.", 1.0, 1.2)], next_segment=segment("No.", 1.5, 1.6))
    assert cue.end_ms == 1500


@given(st.text(st.characters(codec="utf-8"), max_size=400), st.floats(0, 36000), st.floats(0, 60))
def test_cues_of_any_text_are_within_the_limits(text: str, start_seconds: float, length_seconds: float) -> None:
    """Cues of any text are narrow enough, in order, and of positive length; no character is lost."""
    cues = cues_of([segment(text, start_seconds, start_seconds + length_seconds)])
    shown = "".join(line for cue in cues for line in cue.lines)
    assert "".join(shown.split()) == "".join(text.split())
    for cue in cues:
        assert len(cue.lines) <= CUE_LINES_MAX
        assert all(cell_len(line) <= LINE_COLUMNS_MAX for line in cue.lines)
        assert cue.end_ms > cue.start_ms >= 0
    for before, after in pairwise(cues):
        assert before.start_ms <= after.start_ms
