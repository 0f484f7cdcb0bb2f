"""Results as the service writes them: TranscriptEvent, with the members of the service model.

Times are seconds from the beginning of the stream, although the model's documentation calls them milliseconds.
"""

import json
from typing import Any

from tests.support.transcribe_service.frames import Message
from tests.support.transcribe_service.recognizer import Result, Word
from tests.support.transcribe_service.request import StreamRequest
from tests.support.transcribe_service.script import Script
from tiro_engines.interface import SAMPLE_RATE

UNSTABLE_WORDS = {"low": 3, "medium": 2, "high": 1}
"""Number of words at the end of a partial that may still change. The service's own numbers are not published."""
SPEAKERS = 2
"""Number of speakers. They take turns, an utterance each."""
_DIGITS = 3


def transcript_event(found: Result, channel: int, request: StreamRequest, script: Script) -> Message:
    """Return the message with the result of an utterance."""
    body = {"Transcript": {"Results": [_result(found, channel, request, script)]}}
    headers = {":message-type": "event", ":event-type": "TranscriptEvent", ":content-type": "application/json"}
    return Message(headers, json.dumps(body).encode())


def _result(found: Result, channel: int, request: StreamRequest, script: Script) -> dict[str, Any]:
    items = [_word(found, index, request, script) for index in range(len(found.words))]
    text = " ".join(item["Content"] for item in items)
    if script.punctuation and not found.is_partial:
        items.append(_full_stop(found.words[-1], items[-1]))
        text += "."
    result = {
        "ResultId": found.utterance.result_id,
        "StartTime": _seconds(found.words[0].start),
        "EndTime": _seconds(found.words[-1].end),
        "IsPartial": found.is_partial,
        "Alternatives": [{"Transcript": text, "Items": items}],
    }
    if request.channels > 1:
        result["ChannelId"] = f"ch_{channel}"
    if request.identifies_language:
        result["LanguageCode"] = request.language_options[0]
        result["LanguageIdentification"] = [{"LanguageCode": request.language_options[0], "Score": 1.0}]
    return result


def _word(found: Result, index: int, request: StreamRequest, script: Script) -> dict[str, Any]:
    word = found.words[index]
    is_revised = script.revises and found.is_partial and index == len(found.words) - 1
    item = {
        "StartTime": _seconds(word.start),
        "EndTime": _seconds(word.end),
        "Type": "pronunciation",
        "Content": f"{word.text}x" if is_revised else word.text,
        "VocabularyFilterMatch": False,
    }
    if not found.is_partial:
        item["Confidence"] = script.confidence
    if request.speaker_labels:
        item["Speaker"] = str(found.utterance.number % SPEAKERS)
    if request.stability is not None:
        item["Stable"] = not found.is_partial or index < len(found.words) - UNSTABLE_WORDS[request.stability]
    return item


def _full_stop(last: Word, item: dict[str, Any]) -> dict[str, Any]:
    shared: dict[str, Any] = {name: item[name] for name in ("Speaker", "Stable") if name in item}
    end = _seconds(last.end)
    return {
        "StartTime": end,
        "EndTime": end,
        "Type": "punctuation",
        "Content": ".",
        "VocabularyFilterMatch": False,
        **shared,
    }


def _seconds(sample: int) -> float:
    return round(sample / SAMPLE_RATE, _DIGITS)
