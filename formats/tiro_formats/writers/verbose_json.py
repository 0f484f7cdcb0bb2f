"""One JSON object as Whisper and many services write it, `verbose_json`: text, segments, words, times in seconds.

Of OpenAI's fields those are left out that only its decoder knows (`seek`, `tokens`, `avg_logprob` and the like).
"""

import json
from collections.abc import Iterable
from typing import Any

from tiro.speech.v1.transcript_pb2 import Segment, Transcript, Word
from tiro.transcription.v1.transcription_service_pb2 import TRANSCRIPT_FORMAT_VERBOSE_JSON
from tiro_formats.text import json_of, on_one_line
from tiro_formats.times import seconds_of
from tiro_formats.writer import Page, TranscriptWriter

_TEXT, _SEGMENTS, _WORDS = range(3)
"""The rounds. The text and each list need all segments."""


class VerboseJsonWriter(TranscriptWriter):
    """Writes language, duration, the whole text, the segments, and the words."""

    name = "verbose_json"
    enum_value = TRANSCRIPT_FORMAT_VERBOSE_JSON
    file_suffix = ".verbose.json"
    media_type = "application/json"
    rounds = 3

    def write(self, page: Page) -> str:
        """The page's part of the text, of the segments, or of the words."""
        if page.round == _TEXT:
            return _text(page)
        if page.round == _SEGMENTS:
            numbered = enumerate(page.segments, page.segments_before)
            items = [json_of(_segment(number, segment)) for number, segment in numbered]
            return _list(page, "segments", items, before=page.segments_before)
        items = [json_of(_word(word, segment)) for segment in page.segments for word in segment.words]
        return _list(page, "words", items, before=page.words_before) + ("\n}\n" if page.is_last else "")


def _text(page: Page) -> str:
    # A space precedes each segment but the first, so that no page depends on whether another one follows.
    text = "".join(f" {on_one_line(segment.text)}" for segment in page.segments)
    quoted = json.dumps(text[1:] if page.is_first else text, ensure_ascii=False)[1:-1]
    return (f'{_head(page.transcript)}, "text": "' if page.is_first else "") + quoted + ('"' if page.is_last else "")


def _head(transcript: Transcript) -> str:
    duration = seconds_of(transcript.audio_duration)
    return json_of({"task": "transcribe", "language": transcript.language_code, "duration": duration})[:-1]


def _list(page: Page, name: str, items: Iterable[str], *, before: int) -> str:
    """A part of a list. A comma precedes each element but the first."""
    head = f',\n"{name}": [' if page.is_first else ""
    elements = (f"{',' if number else ''}\n{item}" for number, item in enumerate(items, before))
    return head + "".join(elements) + ("\n]" if page.is_last else "")


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    start, end = seconds_of(segment.start_offset), seconds_of(segment.end_offset)
    return {"id": number, "start": start, "end": end, "text": segment.text, **_channel(segment)}


def _word(word: Word, segment: Segment) -> dict[str, Any]:
    confidence = {"probability": round(word.confidence, 4)} if word.HasField("confidence") else {}
    times = {"start": seconds_of(word.start_offset), "end": seconds_of(word.end_offset)}
    return {"word": word.text, **times, **confidence, **_channel(segment)}


def _channel(segment: Segment) -> dict[str, Any]:
    return {"channel": segment.channel} if segment.channel else {}


WRITER = VerboseJsonWriter()
