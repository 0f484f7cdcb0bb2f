"""Pages of a text format, which concatenated are the file."""

import json

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import Parse
from hypothesis import given
from hypothesis import strategies as st

from tiro.speech.v1.transcript_pb2 import Segment, Transcript, Word
from tiro.transcription.v1.transcription_service_pb2 import GetTranscriptResponse, SubtitleOptions
from tiro_formats.cues import cues_of, has_cues
from tiro_formats.registry import WRITERS, writer_named
from tiro_formats.whole import write_whole
from tiro_formats.writer import Page, TranscriptWriter

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
OPTIONS = st.builds(
    SubtitleOptions,
    line_columns_max=st.sampled_from([0, 10, 42, 200]),
    cue_lines_max=st.sampled_from([0, 1, 5]),
    reading_speed=st.sampled_from([0, 5, 100]),
)
TRANSCRIPT = Transcript(
    engine="fake", model="m", language_code="en", audio_duration=Duration(seconds=61, nanos=250_000_000)
)


def paged(writer: TranscriptWriter, segments: list[Segment], page_size: int, options: SubtitleOptions) -> str:
    """A transcript that is written in pages of `page_size` segments."""
    return "".join(_round(writer, segments, page_size, options, number) for number in range(writer.rounds))


def _round(
    writer: TranscriptWriter, segments: list[Segment], page_size: int, options: SubtitleOptions, number: int
) -> str:
    text, cue_count, word_count = "", 0, 0
    for start in range(0, len(segments), page_size) or [0]:
        end = start + page_size
        following = next((segment for segment in segments[end:] if has_cues(segment)), None)
        cues = cues_of(segments[start:end], options, following) if writer.uses_cues else []
        text += writer.write(
            Page(
                transcript=TRANSCRIPT,
                segments=segments[start:end],
                is_first=start == 0,
                is_last=end >= len(segments),
                cues=cues,
                cues_before=cue_count,
                segments_before=start,
                words_before=word_count,
                round=number,
            )
        )
        cue_count += len(cues)
        word_count += sum(len(segment.words) for segment in segments[start:end])
    return text


def whole(name: str, segments: list[Segment]) -> str:
    """A transcript that is written as one page."""
    return write_whole(writer_named(name), TRANSCRIPT, segments)


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
@given(segments=st.lists(SEGMENTS, max_size=16), options=OPTIONS, page_size=st.sampled_from([1, 2, 7]))
def test_pages_concatenated_are_the_whole(
    writer: TranscriptWriter, segments: list[Segment], options: SubtitleOptions, page_size: int
) -> None:
    """For any page size and options: headers come once, numbers continue, the last cue ends before the next page's."""
    assert paged(writer, segments, page_size, options) == write_whole(writer, TRANSCRIPT, segments, options)


@given(segments=st.lists(SEGMENTS, max_size=9))
def test_json_is_that_of_the_contract(segments: list[Segment]) -> None:
    """The JSON is one object that protobuf reads back as the response with the transcript and its segments."""
    read = Parse(whole("json", segments), GetTranscriptResponse())
    assert read == GetTranscriptResponse(transcript=TRANSCRIPT, segments=segments)


@given(segments=st.lists(SEGMENTS, max_size=9))
def test_verbose_json_has_text_segments_and_words(segments: list[Segment]) -> None:
    """The object has the whole text, and the times of segments and words in seconds, as numbers."""
    read = json.loads(whole("verbose_json", segments))
    assert list(read) == ["task", "language", "duration", "text", "segments", "words"]
    assert (read["task"], read["language"], read["duration"]) == ("transcribe", "en", 61.25)
    assert read["text"].split() == [part for segment in segments for part in segment.text.split()]
    assert [item["id"] for item in read["segments"]] == list(range(len(segments)))
    assert [item["text"] for item in read["segments"]] == [segment.text for segment in segments]
    assert [item.get("channel", 0) for item in read["segments"]] == [segment.channel for segment in segments]
    spoken = [word for segment in segments for word in segment.words]
    assert [item["word"] for item in read["words"]] == [word.text for word in spoken]
    timed: list[Segment | Word] = [*segments, *spoken]
    for item, one in zip([*read["segments"], *read["words"]], timed, strict=True):
        assert item["start"] == one.start_offset.ToMilliseconds() / 1000
        assert item["end"] == one.end_offset.ToMilliseconds() / 1000


@given(segments=st.lists(SEGMENTS, max_size=9))
def test_a_line_is_a_segment_or_a_word(segments: list[Segment]) -> None:
    """Text with line breaks and tabs of any kind does not break lines or columns; each word's line is JSON."""
    assert len(whole("txt", segments).splitlines()) == len(segments)
    rows = [row.split("\t") for row in whole("tsv", segments).splitlines()]
    assert [len(row) for row in rows] == [4] * (len(segments) + 1)
    lines = whole("words", segments).split("\n")[:-1]
    assert [json.loads(line)["stable"] for line in lines] == [True for item in segments for _ in item.words]


def test_channels_are_shown_where_there_are_any() -> None:
    """A channel is a label in plain text and a column in TSV; mixed channels have no label. Hours may be above 99."""
    late = Duration(seconds=360_001, nanos=500_000_000)
    segments = [Segment(text="a\nb --> c"), Segment(text="d", channel=2, start_offset=late, end_offset=late)]
    assert whole("txt", segments) == "a b --> c\n[Channel 2] d\n"
    expected = "start\tend\ttext\tchannel\n0\t0\ta b --> c\t0\n360001500\t360001500\td\t2\n"
    assert whole("tsv", segments) == expected
