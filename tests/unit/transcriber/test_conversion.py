"""Conversion between the engine's samples and the contract's times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro_engines.interface import Segment, Word
from tiro_transcriber.engine.conversion import from_proto, recognition_options, to_proto

SAMPLES = st.integers(0, 12 * 3600 * 16_000)
"""Samples of a recording of 12 hours."""
PROBABILITIES = st.floats(0, 1, width=32)


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    """A segment with words at any times."""
    words = tuple(
        Word(draw(st.text()), draw(SAMPLES), draw(SAMPLES), draw(PROBABILITIES), draw(st.booleans()))
        for _ in range(draw(st.integers(0, 3)))
    )
    return Segment(draw(st.text()), draw(SAMPLES), draw(SAMPLES), words, "en")


@given(segment=segments(), offset=SAMPLES)
def test_a_segment_of_a_part_has_the_times_of_the_whole(segment: Segment, offset: int) -> None:
    """A segment of a part that is stored and read has the same fields, and times that are exact to the sample."""
    moved = from_proto(to_proto(segment, RecognitionConfig(enable_word_time_offsets=True)), offset)
    assert (moved.start, moved.end) == (segment.start + offset, segment.end + offset)
    assert [(word.start, word.end) for word in moved.words] == [
        (word.start + offset, word.end + offset) for word in segment.words
    ]
    assert [(word.text, word.probability, word.stable) for word in moved.words] == [
        (word.text, word.probability, word.stable) for word in segment.words
    ]
    assert (moved.text, moved.language) == (segment.text, segment.language)


def test_candidates_become_languages_of_the_engine() -> None:
    """The engine gets its own languages, and segments have the candidate's tag. A single candidate is the language."""
    config = RecognitionConfig(candidate_language_codes=["en-GB", "pt-BR", "en"])
    options = recognition_options(config, frozenset(("en", "pt", "es")))
    assert (options.language, options.candidates) == (None, frozenset(("en", "pt")))
    assert to_proto(Segment("text", 0, 1, (), "pt"), config).language_code == "pt-BR"
    only = recognition_options(RecognitionConfig(candidate_language_codes=["pt-BR"]), frozenset(("en", "pt")))
    assert (only.language, only.candidates) == ("pt", frozenset())


@pytest.mark.parametrize(
    ("asked", "language", "tag"),
    [("es-MX", "es", "es-MX"), ("", "es", "es"), ("es-MX", "en", "en"), ("es", "", ""), ("nb", "no", "nb")],
)
def test_a_segment_has_the_tag_that_was_asked_for(asked: str, language: str, tag: str) -> None:
    """A segment has the request's tag, unless it is in another language, as a translation is."""
    assert to_proto(Segment("text", 0, 1, (), language), RecognitionConfig(language_code=asked)).language_code == tag
