"""Pages of text: one after the other they are the file."""

import json

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import Parse
from hypothesis import given
from hypothesis import strategies as st

from tiro.speech.v1.transcript_pb2 import Segment, Transcript, Word
from tiro.transcription.v1.transcription_service_pb2 import (
    TRANSCRIPT_FORMAT_JSON,
    TRANSCRIPT_FORMAT_SRT,
    TRANSCRIPT_FORMAT_TSV,
    TRANSCRIPT_FORMAT_TXT,
    TRANSCRIPT_FORMAT_WORDS,
    GetTranscriptResponse,
    TranscriptFormat,
)
from tiro_formats.pages import PAGED_FORMATS, render_page

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
OFFSETS = st.integers(0, 500_000_000).map(lambda value: Duration(seconds=value // 1000, nanos=value % 1000 * 1_000_000))
WORDS = st.builds(Word, text=TEXTS, start_offset=OFFSETS, end_offset=OFFSETS, stable=st.just(True))
SEGMENTS = st.builds(
    Segment,
    text=TEXTS,
    start_offset=OFFSETS,
    end_offset=OFFSETS,
    words=st.lists(WORDS, max_size=3),
    channel=st.integers(0, 2),
)
TRANSCRIPT = Transcript(engine="fake", model="m", language_code="en")


def _paged(kind: "TranscriptFormat.ValueType", segments: list[Segment], page_size: int) -> str:
    starts = range(0, len(segments), page_size) or [0]
    return "".join(
        render_page(
            kind,
            TRANSCRIPT,
            segments[start : start + page_size],
            first=start == 0,
            last=start + page_size >= len(segments),
        )
        for start in starts
    )


@pytest.mark.parametrize("kind", sorted(PAGED_FORMATS))
@given(segments=st.lists(SEGMENTS, max_size=16), page_size=st.sampled_from([1, 2, 7]))
def test_pages_joined_are_the_whole(
    kind: "TranscriptFormat.ValueType", segments: list[Segment], page_size: int
) -> None:
    """Whatever the page size, the pages joined are what one page with everything is."""
    assert _paged(kind, segments, page_size) == _paged(kind, segments, 1000)


@given(segments=st.lists(SEGMENTS, max_size=9), page_size=st.sampled_from([1, 2, 7]))
def test_json_is_the_contract_s_own(segments: list[Segment], page_size: int) -> None:
    """The JSON is one object that protobuf reads back as the response with the transcript and its segments."""
    read = Parse(_paged(TRANSCRIPT_FORMAT_JSON, segments, page_size), GetTranscriptResponse())
    assert read == GetTranscriptResponse(transcript=TRANSCRIPT, segments=segments)


@given(segments=st.lists(SEGMENTS, max_size=9))
def test_a_line_is_a_segment_or_a_word(segments: list[Segment]) -> None:
    """Text with line breaks and tabs of any kind does not break lines or columns; each word's line is JSON."""
    assert len(_paged(TRANSCRIPT_FORMAT_TXT, segments, 2).splitlines()) == len(segments)
    rows = [row.split("\t") for row in _paged(TRANSCRIPT_FORMAT_TSV, segments, 2).splitlines()]
    assert [len(row) for row in rows] == [4] * (len(segments) + 1)
    lines = _paged(TRANSCRIPT_FORMAT_WORDS, segments, 2).split("\n")[:-1]
    assert [json.loads(line)["stable"] for line in lines] == [True for item in segments for _ in item.words]


def test_channels_are_shown_where_there_are_any() -> None:
    """A channel is a label in plain text and a column in TSV; mixed channels have no label. Hours may be above 99."""
    late = Duration(seconds=360_001, nanos=500_000_000)
    segments = [Segment(text="a\nb --> c"), Segment(text="d", channel=2, start_offset=late, end_offset=late)]
    assert _paged(TRANSCRIPT_FORMAT_TXT, segments, 1) == "a b --> c\n[Channel 2] d\n"
    expected = "start\tend\ttext\tchannel\n0\t0\ta b --> c\t0\n360001500\t360001500\td\t2\n"
    assert _paged(TRANSCRIPT_FORMAT_TSV, segments, 1) == expected


def test_other_formats_are_refused() -> None:
    """Subtitles are not written by this module."""
    with pytest.raises(ValueError, match="no pages"):
        _paged(TRANSCRIPT_FORMAT_SRT, [], 1)
