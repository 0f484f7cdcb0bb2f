"""What was said in a live session as text."""

import json
from collections.abc import Callable, Sequence

import pytest
from google.protobuf.json_format import Parse

from tiro.transcription.v1.transcription_service_pb2 import GetTranscriptResponse
from tiro_client.jobs.formats import TranscriptFormat, render
from tiro_client.transcript import Segment, Transcript, Word

MakeTranscript = Callable[[Sequence[Segment]], Transcript]
_FIRST = "00:00:00,000 --> 00:00:01,000"
_SECOND = "00:00:01,000 --> 00:00:02,500"


@pytest.mark.parametrize(
    ("format_", "text"),
    [
        (TranscriptFormat.TXT, "one two\n[Channel 2] three\n"),
        (TranscriptFormat.TSV, "start\tend\ttext\tchannel\n0\t1000\tone two\t0\n1000\t2500\tthree\t2\n"),
        (TranscriptFormat.SRT, f"1\n{_FIRST}\none two\n\n2\n{_SECOND}\nthree\n"),
        (TranscriptFormat.VTT, f"WEBVTT\n\n1\n{_FIRST}\none two\n\n2\n{_SECOND}\nthree\n".replace(",", ".")),
        (TranscriptFormat.WORDS, ""),
    ],
)
def test_each_format(transcript_of: MakeTranscript, format_: TranscriptFormat, text: str) -> None:
    """A transcript of this library is written as the service writes one."""
    rendered = render(transcript_of([Segment(" one\ntwo ", 0, 1), Segment("three", 1, 2.5, channel=2)]), format_)
    assert rendered == text


def test_json_is_what_the_service_answers(transcript_of: MakeTranscript) -> None:
    """JSON read back as the service's answer is the same transcript, with all that this library knows of it."""
    word = Word("días", 0.125, 0.5, 0.75)
    transcript = transcript_of([Segment("días", 0.125, 0.5, (word,), "es", channel=1), Segment("x", 1.0, 2.0)])
    text = render(transcript, TranscriptFormat.JSON)
    answer = Parse(text, GetTranscriptResponse())
    assert Transcript.from_proto(answer.transcript, answer.segments) == transcript
    assert "días" in text
    assert json.loads(text)["transcript"]["warnings"][0]["reason"] == "WARNING_REASON_DAMAGED_AUDIO"
