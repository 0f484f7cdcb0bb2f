"""Cues as SubRip and WebVTT. Written by hand: subtitle libraries write whole files, and end at 100 hours."""

import re
from collections.abc import Sequence

from tiro.transcription.v1.transcription_service_pb2 import (
    TRANSCRIPT_FORMAT_SRT,
    TRANSCRIPT_FORMAT_VTT,
    TranscriptFormat,
)
from tiro_formats.cues import Cue

SUBTITLE_FORMATS = frozenset({TRANSCRIPT_FORMAT_SRT, TRANSCRIPT_FORMAT_VTT})
"""What `render_cues` writes."""
VTT_HEADER = "WEBVTT\n"
_WORD_JOINER = "\u2060"
_SRT_MARKUP = re.compile(r"--(?=>)|<(?=[A-Za-z/!?])|\{(?=\\)")
"""What players take for a time line, a tag, or an override of another subtitle format, up to where it is broken."""


def render_cues(
    format: "TranscriptFormat.ValueType",  # noqa: A002 - the word for it
    cues: Sequence[Cue],
    *,
    before: int,
    first: bool,
) -> str:
    """The cues of a page.

    Args:
        format: One of `SUBTITLE_FORMATS`.
        cues: The page's cues, in order.
        before: How many cues the pages before have: the numbers go on.
        first: The page is the first one.

    Raises:
        ValueError: The format is not one of `SUBTITLE_FORMATS`.
    """
    numbered = enumerate(cues, before + 1)
    if format == TRANSCRIPT_FORMAT_SRT:
        # A blank line stands before a cue, not behind it: no page has to know whether another one follows.
        return "".join(("\n" if number > 1 else "") + _srt_cue(number, cue) for number, cue in numbered)
    if format == TRANSCRIPT_FORMAT_VTT:
        return (VTT_HEADER if first else "") + "".join(f"\n{_vtt_cue(number, cue)}" for number, cue in numbered)
    raise ValueError(f"no subtitles in the format {format}")


def _srt_cue(number: int, cue: Cue) -> str:
    # SubRip has no escapes. A character without width keeps text from being markup, and shows it as it was said.
    lines = [_SRT_MARKUP.sub(rf"\g<0>{_WORD_JOINER}", line) for line in cue.lines]
    return _cue(number, _clock(cue.start_ms, ","), _clock(cue.end_ms, ","), lines)


def _vtt_cue(number: int, cue: Cue) -> str:
    lines = [line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for line in cue.lines]
    return _cue(number, _clock(cue.start_ms, "."), _clock(cue.end_ms, "."), lines)


def _cue(number: int, start: str, end: str, lines: Sequence[str]) -> str:
    return "\n".join([str(number), f"{start} --> {end}", *lines, ""])


def _clock(moment_ms: int, point: str) -> str:
    """`HH:MM:SS` and milliseconds. Hours take as many digits as they need."""
    seconds, milliseconds = divmod(moment_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{milliseconds:03}"
