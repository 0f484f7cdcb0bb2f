"""SubRip subtitles. Written by hand: subtitle libraries write whole files, and fail from 100 hours on."""

import re

from tiro.transcription.v1.transcription_service_pb2 import TRANSCRIPT_FORMAT_SRT
from tiro_formats.cues import Cue
from tiro_formats.text import on_one_line
from tiro_formats.times import clock
from tiro_formats.writer import Page, TranscriptWriter

_WORD_JOINER = "\u2060"
_MARKUP = re.compile(r"--(?=>)|<(?=[A-Za-z/!?])|\{(?=\\)")
"""Text that players would read as a time line, a tag, or an override of another subtitle format."""


class SrtWriter(TranscriptWriter):
    """Writes numbered cues. One of a separate channel begins with its label."""

    name = "srt"
    enum_value = TRANSCRIPT_FORMAT_SRT
    file_suffix = ".srt"
    media_type = "application/x-subrip"
    uses_cues = True

    def write(self, page: Page) -> str:
        """The page's cues."""
        # A blank line precedes a cue instead of following it: no page depends on whether another one follows.
        numbered = enumerate(page.cues, page.cues_before + 1)
        return "".join(("\n" if number > 1 else "") + _block(number, cue) for number, cue in numbered)


def _block(number: int, cue: Cue) -> str:
    # SubRip has no escapes. A character without width breaks markup, and is not visible in the text.
    label = f"[{on_one_line(cue.label)}] " if cue.label else ""
    lines = [_MARKUP.sub(rf"\g<0>{_WORD_JOINER}", line) for line in (label + cue.lines[0], *cue.lines[1:])]
    times = f"{clock(cue.start_ms, decimal_mark=',')} --> {clock(cue.end_ms, decimal_mark=',')}"
    return "\n".join([str(number), times, *lines, ""])


WRITER = SrtWriter()
