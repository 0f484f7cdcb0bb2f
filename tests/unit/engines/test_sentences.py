"""The split of words into segments of readable length."""

from hypothesis import given
from hypothesis import strategies as st

from tiro_engines.faster_whisper.sentences import SEGMENT_SECONDS_MAX, sentences
from tiro_engines.interface import SAMPLE_RATE
from tiro_engines.windowed.decoder import DecodedWord


def words(*spoken: tuple[str, float, float]) -> list[DecodedWord]:
    """Make words of text, start and end in seconds."""
    return [
        DecodedWord(f" {text}", round(start * SAMPLE_RATE), round(end * SAMPLE_RATE), 1.0)
        for text, start, end in spoken
    ]


def texts(segments: list[list[DecodedWord]]) -> list[str]:
    """The texts of segments."""
    return ["".join(word.raw for word in segment).strip() for segment in segments]


def split(*spoken: tuple[str, float, float]) -> list[str]:
    """Split words into segments, and return their texts."""
    return texts([list(segment) for segment in sentences(words(*spoken))])


def test_a_full_stop_with_a_pause_ends_a_segment() -> None:
    """A full stop ends a segment if a short pause follows."""
    assert split(("Stop.", 0, 0.5), ("Go", 0.8, 1), ("on.", 1, 1.2)) == ["Stop.", "Go on."]


def test_a_full_stop_without_a_pause_does_not_end_a_segment() -> None:
    """An abbreviation has a full stop without a pause after it."""
    assert split(("Mr.", 0, 0.3), ("Quilter", 0.35, 0.8)) == ["Mr. Quilter"]


def test_a_long_pause_ends_a_segment() -> None:
    """A long pause ends a segment in mid-sentence, too."""
    assert split(("and", 0, 0.3), ("then", 1.4, 1.6)) == ["and", "then"]


def test_no_words_are_no_segments() -> None:
    """No words give no segments."""
    assert split() == []


@given(st.lists(st.tuples(st.floats(0.05, 2), st.floats(0, 0.9)), max_size=80))
def test_no_word_is_lost_and_segments_are_limited(spoken: list[tuple[float, float]]) -> None:
    """Segments have all words in order. Only a segment of one word may be longer than the limit."""
    position = 0.0
    said = []
    for length, pause in spoken:
        said.append(("word", position, position + length))
        position += length + pause
    given_words = words(*said)
    segments = sentences(given_words)
    assert [word for segment in segments for word in segment] == given_words
    for segment in segments:
        assert len(segment) == 1 or segment[-1].end - segment[0].start <= SEGMENT_SECONDS_MAX * SAMPLE_RATE
