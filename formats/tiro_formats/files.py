"""A whole transcript as text."""

from collections.abc import Sequence

from tiro.speech.v1.transcript_pb2 import Segment, Transcript
from tiro.transcription.v1.transcription_service_pb2 import SubtitleOptions, TranscriptFormat
from tiro_formats.cues import cues_of
from tiro_formats.pages import render_page
from tiro_formats.subtitles import SUBTITLE_FORMATS, render_cues


def render_file(
    format: "TranscriptFormat.ValueType",  # noqa: A002 - the word for it
    transcript: Transcript,
    segments: Sequence[Segment],
    subtitles: SubtitleOptions | None = None,
) -> str:
    """All segments of a transcript in a format: what its pages are, one after the other.

    Args:
        format: One of `PAGED_FORMATS` or `SUBTITLE_FORMATS`.
        transcript: What is known of the transcript besides its segments.
        segments: All of them, in order.
        subtitles: How to cut them into subtitles.

    Raises:
        ValueError: The format is another one.
    """
    if format in SUBTITLE_FORMATS:
        return render_cues(format, cues_of(segments, subtitles), before=0, first=True)
    return render_page(format, transcript, segments, first=True, last=True)
