"""A transcript as text: plain, JSON, or subtitles."""

import enum
import json
from dataclasses import asdict
from typing import Any

from pysubs2 import SSAEvent, SSAFile

from tiro_client.cues import cues_of
from tiro_client.transcript import Segment, Transcript

_SECONDS_DIGITS = 3
_CONFIDENCE_DIGITS = 4
_WORD_JOINER = "\u2060"
_LINE_BREAK = "\\N"


class TranscriptFormat(enum.StrEnum):
    """How a transcript is written. The value is also the file name's ending."""

    TXT = "txt"
    """A segment a line."""
    SRT = "srt"
    """SubRip subtitles."""
    VTT = "vtt"
    """WebVTT subtitles."""
    JSON = "json"
    """Everything there is, times in seconds."""


def render(transcript: Transcript, format: TranscriptFormat) -> str:  # noqa: A002 - the word for it
    """A transcript in a format, with a line break at its end unless it is empty."""
    match format:
        case TranscriptFormat.TXT:
            return "".join(f"{' '.join(segment.text.split())}\n" for segment in transcript.segments)
        case TranscriptFormat.JSON:
            return json.dumps(to_dict(transcript), ensure_ascii=False, indent=2) + "\n"
        case TranscriptFormat.SRT | TranscriptFormat.VTT:
            return _subtitles(transcript, format)


def to_dict(transcript: Transcript) -> dict[str, Any]:
    """A transcript as plain data, as it is written in JSON."""
    info = asdict(transcript.info)
    info["audio_seconds"] = round(transcript.info.audio_seconds, _SECONDS_DIGITS)
    info["language_confidence"] = _rounded(transcript.info.language_confidence)
    return {"text": transcript.text, **info, "segments": [segment_to_dict(item) for item in transcript.segments]}


def segment_to_dict(segment: Segment) -> dict[str, Any]:
    """A segment as plain data."""
    return {
        "text": segment.text,
        "start_seconds": round(segment.start_seconds, _SECONDS_DIGITS),
        "end_seconds": round(segment.end_seconds, _SECONDS_DIGITS),
        "language": segment.language,
        "words": [
            {
                "text": word.text,
                "start_seconds": round(word.start_seconds, _SECONDS_DIGITS),
                "end_seconds": round(word.end_seconds, _SECONDS_DIGITS),
                "confidence": _rounded(word.confidence),
            }
            for word in segment.words
        ],
    }


def _rounded(probability: float | None) -> float | None:
    # It comes as a 32-bit float: more digits would be noise.
    return None if probability is None else round(probability, _CONFIDENCE_DIGITS)


def _subtitles(transcript: Transcript, format: TranscriptFormat) -> str:  # noqa: A002 - as above
    file = SSAFile()
    for cue in cues_of(transcript.segments):
        text = _LINE_BREAK.join(_escaped(line, format) for line in cue.lines)
        file.append(SSAEvent(start=round(cue.start_seconds * 1000), end=round(cue.end_seconds * 1000), text=text))
    # Braces in a transcript are braces, not styling of another subtitle format.
    text = file.to_string(format.value, keep_ssa_tags=True).rstrip("\n")
    return f"{text}\n" if text else ""


def _escaped(line: str, format: TranscriptFormat) -> str:  # noqa: A002 - as above
    """A line that the format shows as it is."""
    # pysubs2 reads a backslash with certain letters as a break or a drawing; one with a joiner it leaves alone.
    line = line.replace("\\", "\\" + _WORD_JOINER)
    if format is TranscriptFormat.VTT:
        return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return line
