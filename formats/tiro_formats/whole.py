"""A whole transcript as text, for callers that have all of its segments in memory."""

from collections.abc import Sequence
from dataclasses import replace

from tiro.speech.v1.transcript_pb2 import Segment, Transcript
from tiro.transcription.v1.transcription_service_pb2 import SubtitleOptions
from tiro_formats.cues import cues_of
from tiro_formats.writer import Page, TranscriptWriter


def write_whole(
    writer: TranscriptWriter,
    transcript: Transcript,
    segments: Sequence[Segment],
    subtitles: SubtitleOptions | None = None,
) -> str:
    """All segments of a transcript in a format, as one page for each round.

    Args:
        writer: The format's writer.
        transcript: The transcript's metadata.
        segments: All segments, in order.
        subtitles: How to split them into cues, for formats that use cues. Fields that are 0 take their defaults.
    """
    cues = cues_of(segments, subtitles) if writer.uses_cues else ()
    page = Page(transcript, segments, is_first=True, is_last=True, cues=cues)
    return "".join(writer.write(replace(page, round=number)) for number in range(writer.rounds))
