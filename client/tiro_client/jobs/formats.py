"""A transcript as text: plain, JSON, or subtitles."""

import enum

from tiro.transcription.v1 import transcription_service_pb2 as service
from tiro_client.transcript import Transcript
from tiro_formats.files import render_file


class TranscriptFormat(enum.StrEnum):
    """How a transcript is written. The value is also the file name's ending."""

    TXT = "txt"
    """A segment a line."""
    SRT = "srt"
    """SubRip subtitles."""
    VTT = "vtt"
    """WebVTT subtitles."""
    TSV = "tsv"
    """A segment a line: start and end in milliseconds, text, channel."""
    JSON = "json"
    """Everything there is, as protobuf's own JSON of `GetTranscriptResponse`."""

    WORDS = "words"
    """JSON Lines: an object a word."""

    @property
    def wire(self) -> "service.TranscriptFormat.ValueType":
        """The format in messages."""
        return service.TranscriptFormat.Value(f"TRANSCRIPT_FORMAT_{self.name}")


def render(transcript: Transcript, format: TranscriptFormat) -> str:  # noqa: A002 - the word for it
    """A transcript in a format, with a line break at its end unless it is empty.

    It is made from what a `Transcript` has, without asking the service: for what was said in a live session.
    """
    segments = [segment.to_proto() for segment in transcript.segments]
    return render_file(format.wire, transcript.info.to_proto(), segments)
