"""Words cut into segments as people read them."""

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
    """What segments say."""
    return ["".join(word.raw for word in segment).strip() for segment in segments]


def cut(*spoken: tuple[str, float, float]) -> list[str]:
    """Cut words and say what the segments are."""
    return texts([list(segment) for segment in sentences(words(*spoken))])


def test_a_sentence_ends_at_a_breath() -> None:
    """A full stop ends a segment where the speaker breathes."""
    assert cut(("Stop.", 0, 0.5), ("Go", 0.8, 1), ("on.", 1, 1.2)) == ["Stop.", "Go on."]


def test_an_abbreviation_does_not() -> None:
    """Nobody breathes behind it."""
    assert cut(("Mr.", 0, 0.3), ("Quilter", 0.35, 0.8)) == ["Mr. Quilter"]


def test_a_pause_ends_a_segment_by_itself() -> None:
    """Also in mid-sentence."""
    assert cut(("and", 0, 0.3), ("then", 1.4, 1.6)) == ["and", "then"]


def test_no_words_are_no_segments() -> None:
    """Nothing is made of nothing."""
    assert cut() == []


@given(st.lists(st.tuples(st.floats(0.05, 2), st.floats(0, 0.9)), max_size=80))
def test_nothing_is_lost_and_nothing_too_long(spoken: list[tuple[float, float]]) -> None:
    """All words come out in order, and only a single word may last longer than a segment may."""
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
