"""The text of a WhisperLive connection, whose messages repeat the newest segments."""

from collections.abc import Sequence
from typing import Any

Word = tuple[str, float, float, bool]


class Transcript:
    """The text of a connection so far, as WhisperLive's own client shows it."""

    def __init__(self) -> None:
        self._completed: dict[tuple[str, str], list[Word]] = {}
        self._under_way: list[Word] = []
        self._texts: list[str] = []

    def update(self, segments: Sequence[dict[str, Any]]) -> list[Word] | None:
        """Take a message's segments. Returns all words so far, or None where none has changed.

        A message without new text removes nothing: the unfinished text stays, as in its own client.
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
    """A segment's words with evenly spread times. Real word times would make WhisperLive slower than its default."""
    texts = segment["text"].split()
    start, end = float(segment["start"]), float(segment["end"])
    each = (end - start) / max(1, len(texts))
    return [(text, start + i * each, start + (i + 1) * each, segment["completed"]) for i, text in enumerate(texts)]
