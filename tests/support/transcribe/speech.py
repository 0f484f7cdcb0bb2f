"""What the service hears: word markers, told as its results."""

import itertools
from typing import Any

import numpy as np

from tiro_core.audio.pcm import pcm16_to_float32
from tiro_transcriber.engines.fake.engine import FakeEngine
from tiro_transcriber.engines.interface import (
    SAMPLE_RATE,
    Final,
    Partial,
    RecognitionOptions,
    Segment,
    SessionOptions,
    SessionUpdate,
)


class Hearing:
    """The audio of one stream, from its beginning.

    Args:
        locale: The language that was asked for.
    """

    def __init__(self, locale: str) -> None:
        self._locale = locale
        engine = FakeEngine("markers", frozenset({"en"}))
        self._session = engine.open_session(SessionOptions(RecognitionOptions("en")), 0)
        self._numbers = itertools.count(1)
        self._number = next(self._numbers)
        self.seconds = 0.0

    def hear(self, pcm: bytes) -> list[dict[str, Any]]:
        """Take 16 kHz PCM16, and return the results that it gives."""
        samples = np.frombuffer(pcm, dtype="<i2")
        self.seconds += len(samples) / SAMPLE_RATE
        return self._results([*self._session.advance(pcm16_to_float32(samples)), *self._session.decode_partial()])

    def finish(self) -> list[dict[str, Any]]:
        """The results that were still to come."""
        return self._results(self._session.finalize())

    def _results(self, updates: list[SessionUpdate]) -> list[dict[str, Any]]:
        results = []
        for update in updates:
            if isinstance(update, Final | Partial):
                results.append(self._result(update.segment, is_partial=isinstance(update, Partial)))
            if isinstance(update, Final):
                self._number = next(self._numbers)
        return results

    def _result(self, segment: Segment, *, is_partial: bool) -> dict[str, Any]:
        items = [
            {
                "Content": word.text,
                "StartTime": word.start / SAMPLE_RATE,
                "EndTime": word.end / SAMPLE_RATE,
                "Type": "pronunciation",
                "Confidence": word.probability,
                "Stable": word.stable,
                "VocabularyFilterMatch": False,
            }
            for word in segment.words
        ]
        end = segment.end / SAMPLE_RATE
        text = segment.text
        if not is_partial:
            items.append({"Content": ".", "StartTime": end, "EndTime": end, "Type": "punctuation"})
            text += "."
        return {
            "ResultId": f"result-{self._number}",
            "StartTime": segment.start / SAMPLE_RATE,
            "EndTime": end,
            "IsPartial": is_partial,
            "LanguageCode": self._locale,
            "Alternatives": [{"Transcript": text, "Items": items}],
        }
