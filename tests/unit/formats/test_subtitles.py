"""SubRip and WebVTT files, read by another parser."""

import html
import io
from itertools import pairwise

import pytest
import webvtt
from google.protobuf.duration_pb2 import Duration
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.formats.speech import segment
from tiro.speech.v1.transcript_pb2 import Segment, Transcript, Word
from tiro.transcription.v1.transcription_service_pb2 import SubtitleOptions
from tiro_formats.cues import Cue, cues_of
from tiro_formats.registry import writer_named
from tiro_formats.whole import write_whole
from tiro_formats.writer import Page
from tiro_formats.writers.srt import WRITER as SRT
from tiro_formats.writers.vtt import WRITER as VTT

FORMATS = ["srt", "vtt"]
HOSTILE = [
    "a --> b --> c",
    "1\n00:00:01,000 --> 00:00:02,000\nnot a cue",
    "\n\nempty\n\n\nlines\n\n",
    "\r\ncarriage\rreturns\u2028and\u2029others\x85",
    "<i>tags</i> & <b>more &amp; &lt; <00:00:01.000>",
    "WEBVTT",
    "NOTE nothing",
    "{\\an8}override {x} \\N \\h",
    "עברית, العربية \u202eback\u202c",
    "w" * 500,
    "👩‍👩‍👧‍👦 👍🏽" * 30,
    "日本語の字幕です。" * 12,
    "cafe\u0301 naïve",
    "2",
    "-->",
    " \t ",
]


def _milliseconds(value: int) -> Duration:
    moment = Duration()
    moment.FromMilliseconds(value)
    return moment


TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60))
# Most of them are close together, so that the following segment affects the end of a cue.
OFFSETS = st.one_of(st.integers(-1_000, 9_000), st.integers(0, 500_000_000)).map(_milliseconds)
WORDS = st.builds(Word, text=TEXTS, start_offset=OFFSETS, end_offset=OFFSETS)
SEGMENTS = st.builds(Segment, text=TEXTS, start_offset=OFFSETS, end_offset=OFFSETS, words=st.lists(WORDS, max_size=3))
OPTIONS = st.builds(
    SubtitleOptions,
    line_columns_max=st.sampled_from([0, 10, 42, 200]),
    cue_lines_max=st.sampled_from([0, 1, 5]),
    reading_speed=st.sampled_from([0, 5, 100]),
)


def _whole(name: str, segments: list[Segment], options: SubtitleOptions | None = None) -> str:
    return write_whole(writer_named(name), Transcript(), segments, options)


def _read(name: str, text: str) -> list[webvtt.Caption]:
    """The cues, read by the parser of another project."""
    return list(webvtt.from_buffer(io.StringIO(text), format=name).captions) if text else []


def _shown(name: str, caption: webvtt.Caption) -> list[str]:
    """A caption's lines as a player shows them."""
    raw = caption.raw_text.split("\n")
    return [html.unescape(line) if name == "vtt" else line.replace("\u2060", "") for line in raw]


def _start(caption: webvtt.Caption) -> int:
    return caption.start_time.in_milliseconds()


def _end(caption: webvtt.Caption) -> int:
    return caption.end_time.in_milliseconds()


@pytest.mark.parametrize("name", FORMATS)
@given(segments=st.lists(SEGMENTS, max_size=9))
def test_another_parser_reads_the_cues(name: str, segments: list[Segment]) -> None:
    """For any text and times another parser finds each cue with its number, times and lines."""
    cues = cues_of(segments)
    read = _read(name, _whole(name, segments))
    assert [(_start(item), _end(item)) for item in read] == [(cue.start_ms, cue.end_ms) for cue in cues]
    if name == "vtt":
        # The parser does not keep SubRip's numbers.
        assert [item.identifier for item in read] == [str(number) for number in range(1, len(cues) + 1)]
    assert all(0 <= cue.start_ms < cue.end_ms for cue in cues)
    shown = [line for item in read for line in _shown(name, item)]
    joiner = "" if name == "vtt" else "\u2060"
    assert shown == [line.replace(joiner, "") if joiner else line for cue in cues for line in cue.lines]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("said", HOSTILE)
def test_hostile_text_is_shown_unchanged(name: str, said: str) -> None:
    """Markup, time lines, blank lines, other scripts and very long words are shown unchanged."""
    read = _read(name, _whole(name, [segment(said, 0.0, 6.0), segment("end", 7.0, 8.0)]))
    shown = "".join(line for item in read for line in _shown(name, item))
    assert "".join(shown.split()) == "".join(said.split()) + "end"


@pytest.mark.parametrize("name", FORMATS)
@given(
    lengths=st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 3_000), TEXTS), max_size=12),
    options=OPTIONS,
)
def test_cues_do_not_overlap_where_segments_do_not(
    name: str, lengths: list[tuple[int, int, str]], options: SubtitleOptions
) -> None:
    """Segments that do not overlap give cues that do not overlap. A cue without duration takes a millisecond."""
    segments, moment = [], 0
    for length, pause, text in lengths:
        begin, moment = moment, moment + length
        segments.append(Segment(text=text, start_offset=_milliseconds(begin), end_offset=_milliseconds(moment)))
        moment += pause
    for before, after in pairwise(_read(name, _whole(name, segments, options))):
        assert _end(before) <= max(_start(after), _start(before) + 1)


def test_the_layout_of_srt() -> None:
    """SubRip has a number, times with a comma, text, and a blank line between cues. Hours may exceed 99."""
    segments = [segment("One.", 0.5, 2.25), segment("Two.", 360_001.0, 360_002.5)]
    assert _whole("srt", segments) == (
        "1\n00:00:00,500 --> 00:00:02,250\nOne.\n\n2\n100:00:01,000 --> 100:00:02,500\nTwo.\n"
    )
    assert _whole("srt", []) == ""


def test_the_layout_of_vtt() -> None:
    """WebVTT has a header, times with a full stop, and text. A transcript without segments has no cues."""
    text = _whole("vtt", [segment("x <i>y</i> & z --> w", 360_000.5, 360_003.0)])
    assert text == ("WEBVTT\n\n1\n100:00:00.500 --> 100:00:03.000\nx &lt;i&gt;y&lt;/i&gt; &amp; z --&gt; w\n")
    assert _whole("vtt", []) == "WEBVTT\n"


def test_markup_is_escaped_in_srt() -> None:
    """SubRip has no escapes: a word joiner keeps players from reading tags and arrows as such."""
    text = _whole("srt", [segment("<b>x</b> a --> b {\\an8}", 0.0, 2.0)])
    assert text.splitlines()[2] == "<\u2060b>x<\u2060/b> a --\u2060> b {\u2060\\an8}"


def test_subtitles_have_the_labels_of_channels() -> None:
    """WebVTT has a voice, SubRip a label in brackets. Mixed channels have neither."""
    segments = [segment("One & only.", 0.0, 1.0), segment("Two.", 2.0, 3.0)]
    segments[0].channel = 2
    assert _whole("vtt", segments).split("\n")[4::4] == ["<v Channel 2>One &amp; only.", "Two."]
    assert _whole("srt", segments).split("\n")[2::4] == ["[Channel 2] One & only.", "Two."]


@pytest.mark.parametrize("label", ["<i>Eve</i>", "a > b", "Tom\nDick --> Harry", "R&D", "&gt;"])
def test_a_label_with_markup_is_shown_unchanged(label: str) -> None:
    """A label is escaped, and has no line breaks: it cannot end its tag or its line."""
    cue = Cue(0, 1000, ("text",), label)
    vtt = VTT.write(Page(Transcript(), [], is_first=True, is_last=True, cues=[cue]))
    (shown,) = [line for line in vtt.split("\n") if line.startswith("<v")]
    voice, text = shown.removeprefix("<v ").split(">")
    assert (html.unescape(voice), text) == (" ".join(label.split()), "text")
    assert "<" not in voice
    srt = SRT.write(Page(Transcript(), [], is_first=True, is_last=True, cues=[cue]))
    (caption,) = _read("srt", srt)
    assert _shown("srt", caption) == [f"[{' '.join(label.split())}] text"]
