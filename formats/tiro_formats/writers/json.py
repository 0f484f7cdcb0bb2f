"""One JSON object: `GetTranscriptResponse` with all segments, in protobuf's JSON mapping."""

from tiro.transcription.v1.transcription_service_pb2 import TRANSCRIPT_FORMAT_JSON
from tiro_formats.text import json_of
from tiro_formats.writer import Page, TranscriptWriter


class JsonWriter(TranscriptWriter):
    """Writes the transcript's metadata and its segments with their words."""

    name = "json"
    enum_value = TRANSCRIPT_FORMAT_JSON
    file_suffix = ".json"
    media_type = "application/json"

    def write(self, page: Page) -> str:
        """The page's elements of the list `segments`; the first page opens the object and the last one closes it."""
        head = f'{{"transcript": {json_of(page.transcript)}, "segments": [' if page.is_first else ","
        # A line break precedes each segment, so that no page depends on whether another one follows.
        body = ",".join(f"\n{json_of(segment)}" for segment in page.segments)
        return f"{head}{body}{_END if page.is_last else ''}"


_END = "\n]}\n"
WRITER = JsonWriter()
