"""A transcript as text."""

import json
from collections.abc import Callable, Sequence

import pytest
from pysubs2 import SSAFile

from tiro_client.formats import TranscriptFormat, render
from tiro_client.transcript import Segment, Transcript, Word

MakeTranscript = Callable[[Sequence[Segment]], Transcript]

RICH = [
    "Buenos días, ¿qué tal? — «sí»",
    "Ελληνικά, русский, العربية, עברית",
    "naïve cafe\u0301 and 👩‍👩‍👧‍👦 👍🏽",
    "日本語の字幕です。",
    "quotes \" and ' and € and \u00a0 space",
]


def test_txt_is_a_segment_a_line(transcript_of: MakeTranscript) -> None:
    """Each segment is one line, whatever white space it holds."""
    transcript = transcript_of([Segment(" one\ntwo ", 0, 1), Segment("three", 1, 2)])
    assert render(transcript, TranscriptFormat.TXT) == "one two\nthree\n"


@pytest.mark.parametrize("format_", [TranscriptFormat.TXT, TranscriptFormat.SRT])
def test_nothing_said_is_an_empty_text(transcript_of: MakeTranscript, format_: TranscriptFormat) -> None:
    """A transcript without segments renders to no text."""
    assert render(transcript_of([]), format_).strip() == ""


def test_json_has_everything(transcript_of: MakeTranscript) -> None:
    """JSON carries text, times in seconds, confidences, language, model and warnings."""
    word = Word("Hello", 0.12345, 0.5, 0.8999999761581421)
    data = json.loads(render(transcript_of([Segment("Hello", 0.12345, 0.5, (word,), "en")]), TranscriptFormat.JSON))
    assert data["text"] == "Hello"
    assert data["language_confidence"] == 0.98
    assert data["audio_seconds"] == 12.346
    assert data["warnings"] == [{"reason": "DAMAGED_AUDIO", "message": "2 packets were stepped over"}]
    assert data["segments"] == [
        {
            "text": "Hello",
            "start_seconds": 0.123,
            "end_seconds": 0.5,
            "language": "en",
            "words": [{"text": "Hello", "start_seconds": 0.123, "end_seconds": 0.5, "confidence": 0.9}],
        }
    ]


def test_json_keeps_unicode(transcript_of: MakeTranscript) -> None:
    """JSON holds characters, not their escapes."""
    assert "días" in render(transcript_of([Segment("Buenos días", 0, 1)]), TranscriptFormat.JSON)


def test_srt_looks_as_players_expect(transcript_of: MakeTranscript) -> None:
    """SubRip: number, times with a comma, text, blank line."""
    transcript = transcript_of([Segment("One.", 0.5, 2.25), Segment("Two.", 3661.0, 3662.5)])
    assert render(transcript, TranscriptFormat.SRT) == (
        "1\n00:00:00,500 --> 00:00:02,250\nOne.\n\n2\n01:01:01,000 --> 01:01:02,500\nTwo.\n"
    )


def test_vtt_looks_as_browsers_expect(transcript_of: MakeTranscript) -> None:
    """WebVTT: header, times with a full stop, text."""
    text = render(transcript_of([Segment("One.", 0.5, 2.25)]), TranscriptFormat.VTT)
    assert text == "WEBVTT\n\n1\n00:00:00.500 --> 00:00:02.250\nOne.\n"


@pytest.mark.parametrize("format_", [TranscriptFormat.SRT, TranscriptFormat.VTT])
@pytest.mark.parametrize("said", RICH)
def test_unicode_survives_subtitles(transcript_of: MakeTranscript, format_: TranscriptFormat, said: str) -> None:
    """A subtitle file read back holds what was said."""
    text = render(transcript_of([Segment(said, 0, 4)]), format_)
    read = SSAFile.from_string(text, format_=format_.value)
    assert " ".join(" ".join(event.plaintext.split()) for event in read) == " ".join(said.split())


@pytest.mark.parametrize("said", ["braces {\\i1} and {x}", "a \\N b \\h c \\n d", "{\\p1}draw"])
def test_styling_of_other_formats_is_only_text(transcript_of: MakeTranscript, said: str) -> None:
    """What looks like a style override or a line break in SSA is shown as it was said."""
    text = render(transcript_of([Segment(said, 0, 4)]), TranscriptFormat.SRT)
    assert text.replace("\u2060", "").splitlines()[2] == said


def test_markup_is_escaped_in_vtt(transcript_of: MakeTranscript) -> None:
    """What looks like a tag, an entity or a time line in WebVTT is shown as it was said."""
    text = render(transcript_of([Segment("x <i>y</i> & z --> w", 0, 4)]), TranscriptFormat.VTT)
    assert "x &lt;i&gt;y&lt;/i&gt; &amp; z --&gt; w" in text
