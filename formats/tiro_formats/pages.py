"""A page of a transcript as text."""

import json
from collections.abc import Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from tiro.speech.v1.transcript_pb2 import Segment, Transcript
from tiro.transcription.v1.transcription_service_pb2 import (
    TRANSCRIPT_FORMAT_JSON,
    TRANSCRIPT_FORMAT_TSV,
    TRANSCRIPT_FORMAT_TXT,
    TRANSCRIPT_FORMAT_WORDS,
    TranscriptFormat,
)
from tiro_formats.times import milliseconds_of

PAGED_FORMATS = frozenset(
    {TRANSCRIPT_FORMAT_TXT, TRANSCRIPT_FORMAT_TSV, TRANSCRIPT_FORMAT_JSON, TRANSCRIPT_FORMAT_WORDS}
)
"""What `render_page` writes."""
TSV_HEADER = "start\tend\ttext\tchannel\n"
"""The first three columns are those of Whisper's own TSV. The channel is 0 where the channels were mixed."""


def render_page(
    format: "TranscriptFormat.ValueType",  # noqa: A002 - the word for it
    transcript: Transcript,
    segments: Sequence[Segment],
    *,
    first: bool,
    last: bool,
) -> str:
    """Some segments of a transcript in a format.

    Args:
        format: One of `PAGED_FORMATS`.
        transcript: What is known of the transcript besides its segments.
        segments: The page's segments, in order. Only the only page of an empty transcript has none.
        first: The page is the first one.
        last: The page is the last one.

    Raises:
        ValueError: The format is not one of `PAGED_FORMATS`.
    """
    if format == TRANSCRIPT_FORMAT_TXT:
        return "".join(_text_line(segment) for segment in segments)
    if format == TRANSCRIPT_FORMAT_TSV:
        return (TSV_HEADER if first else "") + "".join(_tsv_line(segment) for segment in segments)
    if format == TRANSCRIPT_FORMAT_WORDS:
        return "".join(line for segment in segments for line in _word_lines(segment))
    if format == TRANSCRIPT_FORMAT_JSON:
        return _json_page(transcript, segments, first=first, last=last)
    raise ValueError(f"no pages in the format {format}")


def _text_line(segment: Segment) -> str:
    label = f"[Channel {segment.channel}] " if segment.channel else ""
    return f"{label}{_on_one_line(segment.text)}\n"


def _tsv_line(segment: Segment) -> str:
    start, end = milliseconds_of(segment.start_offset), milliseconds_of(segment.end_offset)
    return f"{start}\t{end}\t{_on_one_line(segment.text)}\t{segment.channel}\n"


def _word_lines(segment: Segment) -> list[str]:
    channel = {"channel": segment.channel} if segment.channel else {}
    return [_json({**MessageToDict(word), **channel}) + "\n" for word in segment.words]


def _json_page(transcript: Transcript, segments: Sequence[Segment], *, first: bool, last: bool) -> str:
    """A page of what `GetTranscriptResponse` is in JSON."""
    head = f'{{"transcript": {_json(transcript)}, "segments": [' if first else ""
    # A line break comes before every segment, so that no page has to know whether another one follows.
    body = ",".join(f"\n{_json(segment)}" for segment in segments)
    return f"{head}{'' if first else ','}{body}{_JSON_END if last else ''}"


_JSON_END = "\n]}\n"


def _json(value: Message | dict[str, Any]) -> str:
    data = MessageToDict(value) if isinstance(value, Message) else value
    return json.dumps(data, ensure_ascii=False)


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
