"""Plain text: one line per segment."""

from tiro.speech.v1.transcript_pb2 import Segment
from tiro.transcription.v1.transcription_service_pb2 import TRANSCRIPT_FORMAT_TXT
from tiro_formats.labels import label_of
from tiro_formats.text import on_one_line
from tiro_formats.writer import Page, TranscriptWriter


class TxtWriter(TranscriptWriter):
    """Writes plain text. A segment of a separate channel is labelled with it."""

    name = "txt"
    enum_value = TRANSCRIPT_FORMAT_TXT
    file_suffix = ".txt"
    media_type = "text/plain"

    def write(self, page: Page) -> str:
        """The page's segments."""
        return "".join(_line(segment) for segment in page.segments)


def _line(segment: Segment) -> str:
    label = label_of(segment)
    return f"{f'[{label}] ' if label else ''}{on_one_line(segment.text)}\n"


WRITER = TxtWriter()
