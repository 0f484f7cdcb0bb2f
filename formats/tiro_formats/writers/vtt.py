"""WebVTT subtitles. Written by hand: subtitle libraries write whole files, and fail from 100 hours on."""

from tiro.transcription.v1.transcription_service_pb2 import TRANSCRIPT_FORMAT_VTT
from tiro_formats.cues import Cue
from tiro_formats.times import clock
from tiro_formats.writer import Page, TranscriptWriter

HEADER = "WEBVTT\n"


class VttWriter(TranscriptWriter):
    """Writes cues whose identifiers are their numbers."""

    name = "vtt"
    enum_value = TRANSCRIPT_FORMAT_VTT
    file_suffix = ".vtt"
    media_type = "text/vtt"
    uses_cues = True

    def write(self, page: Page) -> str:
        """The page's cues, after the header on the first page."""
        numbered = enumerate(page.cues, page.cues_before + 1)
        return (HEADER if page.is_first else "") + "".join(f"\n{_block(number, cue)}" for number, cue in numbered)


def _block(number: int, cue: Cue) -> str:
    lines = [line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for line in cue.lines]
    times = f"{clock(cue.start_ms, decimal_mark='.')} --> {clock(cue.end_ms, decimal_mark='.')}"
    return "\n".join([str(number), times, *lines, ""])


WRITER = VttWriter()
