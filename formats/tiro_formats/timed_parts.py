"""The parts of a segment's text between which a line may be broken, with their times."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration

from tiro.speech.v1.transcript_pb2 import Segment
from tiro_formats.line_breaks import breakable
from tiro_formats.times import milliseconds_of


@dataclass(frozen=True, slots=True)
class TimedPart:
    """A part of a text, with the space before it and its times."""

    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class _Timed:
    """A word in the text without its spaces: from one character to another, and from one time to another."""

    begin: int
    end: int
    start_ms: int
    end_ms: int

    def moment(self, position: int) -> int:
        """The time of a character, in proportion to the characters of the word."""
        return self.start_ms + (self.end_ms - self.start_ms) * (position - self.begin) // (self.end - self.begin)


def timed_parts(segment: Segment, columns_max: int) -> list[TimedPart]:
    """The parts of a segment, none wider than a line.

    Parts have the times of the words that they are in. A part within a word, and all parts where words and text differ,
    have a time in proportion to their characters.
    """
    words = _words(segment)
    begins = [word.begin for word in words]
    parts: list[TimedPart] = []
    position = 0
    for text in breakable(segment.text, columns_max):
        end = position + len(_unspaced(text))
        first = words[bisect_right(begins, position) - 1]
        last = words[bisect_right(begins, end - 1) - 1]
        parts.append(TimedPart(text, first.moment(position), last.moment(end)))
        position = end
    return parts


def _words(segment: Segment) -> Sequence[_Timed]:
    """The words of a segment, or all of it as one where words and text differ."""
    text = _unspaced(segment.text)
    if "".join(_unspaced(word.text) for word in segment.words) != text:
        return [_timed(0, text, segment.start_offset, segment.end_offset)]
    found: list[_Timed] = []
    position = 0
    for word in segment.words:
        if said := _unspaced(word.text):
            found.append(_timed(position, said, word.start_offset, word.end_offset))
            position += len(said)
    return found


def _timed(position: int, text: str, start: Duration, end: Duration) -> _Timed:
    start_ms = max(milliseconds_of(start), 0)
    return _Timed(position, position + len(text), start_ms, max(milliseconds_of(end), start_ms))


def _unspaced(text: str) -> str:
    return "".join(text.split())
