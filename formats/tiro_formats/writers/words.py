"""JSON Lines: one object per word."""

from collections.abc import Iterator

from google.protobuf.json_format import MessageToDict

from tiro.speech.v1.transcript_pb2 import Segment
from tiro.transcription.v1.transcription_service_pb2 import TRANSCRIPT_FORMAT_WORDS
from tiro_formats.text import json_of
from tiro_formats.writer import Page, TranscriptWriter


class WordsWriter(TranscriptWriter):
    """Writes words with their times and confidences, in protobuf's JSON mapping, and their channel where separate."""

    name = "words"
    enum_value = TRANSCRIPT_FORMAT_WORDS
    file_suffix = ".words"
    media_type = "application/x-ndjson"
    needs_words = True

    def write(self, page: Page) -> str:
        """The words of the page's segments."""
        return "".join(line for segment in page.segments for line in _lines(segment))


def _lines(segment: Segment) -> Iterator[str]:
    channel = {"channel": segment.channel} if segment.channel else {}
    for word in segment.words:
        yield json_of({**MessageToDict(word), **channel}) + "\n"


WRITER = WordsWriter()
