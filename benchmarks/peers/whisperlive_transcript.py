"""The text that WhisperLive tells: it tells the newest segments again with every message."""

from collections.abc import Sequence
from typing import Any

Word = tuple[str, float, float, bool]


class Transcript:
    """The text that a connection was told so far, as WhisperLive's own client shows it."""

    def __init__(self) -> None:
        self._completed: dict[tuple[str, str], list[Word]] = {}
        self._under_way: list[Word] = []
        self._texts: list[str] = []

    def update(self, segments: Sequence[dict[str, Any]]) -> list[Word] | None:
        """Take a message's segments. Returns all words so far, or None where none has changed.

        A message that names nothing new takes nothing back: what was under way stays, as its client keeps showing it.
        """
        before = len(self._completed)
        under_way: list[Word] = []
        for segment in segments:
            if segment["completed"]:
                self._completed.setdefault((segment["start"], segment["end"]), _words(segment))
            else:
                under_way += _words(segment)
        if under_way or len(self._completed) > before:
            self._under_way = under_way
        shown = [word for words in self._completed.values() for word in words] + self._under_way
        texts = [word[0] for word in shown]
        if texts == self._texts:
            return None
        self._texts = texts
        return shown


def _words(segment: dict[str, Any]) -> list[Word]:
    """Return a segment's words, spread evenly: times of words would cost WhisperLive more than its default does."""
    texts = segment["text"].split()
    start, end = float(segment["start"]), float(segment["end"])
    each = (end - start) / max(1, len(texts))
    return [(text, start + i * each, start + (i + 1) * each, segment["completed"]) for i, text in enumerate(texts)]
