"""Tab-separated values: one row per segment."""

from tiro.speech.v1.transcript_pb2 import Segment
from tiro.transcription.v1.transcription_service_pb2 import TRANSCRIPT_FORMAT_TSV
from tiro_formats.text import on_one_line
from tiro_formats.times import milliseconds_of
from tiro_formats.writer import Page, TranscriptWriter

HEADER = "start\tend\ttext\tchannel\n"
"""The first three columns are those of OpenAI Whisper's TSV. The channel is 0 where the channels were mixed."""


class TsvWriter(TranscriptWriter):
    """Writes start and end in milliseconds, text, and channel."""

    name = "tsv"
    enum_value = TRANSCRIPT_FORMAT_TSV
    file_suffix = ".tsv"
    media_type = "text/tab-separated-values"

    def write(self, page: Page) -> str:
        """The page's rows, after the header on the first page."""
        return (HEADER if page.is_first else "") + "".join(_row(segment) for segment in page.segments)


def _row(segment: Segment) -> str:
    start, end = milliseconds_of(segment.start_offset), milliseconds_of(segment.end_offset)
    return f"{start}\t{end}\t{on_one_line(segment.text)}\t{segment.channel}\n"


WRITER = TsvWriter()
