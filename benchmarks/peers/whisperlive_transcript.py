"""The text that WhisperLive tells: it tells the newest segments again with every message."""

from collections.abc import Sequence
from typing import Any

Word = tuple[str, float, float, bool]


class Transcript:
    """The text that a connection was told so far."""

    def __init__(self) -> None:
        self._completed: dict[tuple[str, str], list[Word]] = {}
        self._shown: list[Word] = []

    def update(self, segments: Sequence[dict[str, Any]]) -> list[Word] | None:
        """Take a message's segments, the newest only. Returns all words so far, or None where none has changed."""
        under_way: list[Word] = []
        for segment in segments:
            words = _words(segment)
            if segment["completed"]:
                self._completed.setdefault((segment["start"], segment["end"]), words)
            else:
                under_way += words
        shown = [word for words in self._completed.values() for word in words] + under_way
        if [word[0] for word in shown] == [word[0] for word in self._shown]:
            return None
        self._shown = shown
        return shown


def _words(segment: dict[str, Any]) -> list[Word]:
    """Return a segment's words, spread evenly: times of words would cost WhisperLive more than its default does."""
    texts = segment["text"].split()
    start, end = float(segment["start"]), float(segment["end"])
    each = (end - start) / max(1, len(texts))
    return [(text, start + i * each, start + (i + 1) * each, segment["completed"]) for i, text in enumerate(texts)]
