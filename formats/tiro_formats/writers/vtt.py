"""WebVTT subtitles. Written by hand: subtitle libraries write whole files, and fail from 100 hours on."""

from tiro.transcription.v1.transcription_service_pb2 import TRANSCRIPT_FORMAT_VTT
from tiro_formats.cues import Cue
from tiro_formats.text import on_one_line
from tiro_formats.times import clock
from tiro_formats.writer import Page, TranscriptWriter

HEADER = "WEBVTT\n"


class VttWriter(TranscriptWriter):
    """Writes cues whose identifiers are their numbers. One of a separate channel has it as its voice (`<v>`)."""

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
    voice = f"<v {_escaped(on_one_line(cue.label))}>" if cue.label else ""
    lines = [voice + _escaped(cue.lines[0]), *map(_escaped, cue.lines[1:])]
    times = f"{clock(cue.start_ms, decimal_mark='.')} --> {clock(cue.end_ms, decimal_mark='.')}"
    return "\n".join([str(number), times, *lines, ""])


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


WRITER = VttWriter()
