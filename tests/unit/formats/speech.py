"""Segments and words, times in seconds."""

from collections.abc import Sequence

from google.protobuf.duration_pb2 import Duration

from tiro.speech.v1.transcript_pb2 import Segment, Word


def word(text: str, start_seconds: float, end_seconds: float) -> Word:
    """A word."""
    return Word(text=text, start_offset=offset(start_seconds), end_offset=offset(end_seconds))


def segment(text: str, start_seconds: float, end_seconds: float, words: Sequence[Word] = ()) -> Segment:
    """A segment."""
    return Segment(text=text, start_offset=offset(start_seconds), end_offset=offset(end_seconds), words=words)


def spoken(text: str, start_seconds: float = 0.0, word_seconds: float = 0.4) -> Segment:
    """A segment of words that take `word_seconds` each, without pauses."""
    moments = [start_seconds + index * word_seconds for index in range(len(text.split()) + 1)]
    words = [word(said, moments[index], moments[index + 1]) for index, said in enumerate(text.split())]
    return segment(text, start_seconds, moments[-1], words)


def offset(seconds: float) -> Duration:
    """A time offset, to the millisecond."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return Duration(seconds=whole, nanos=milliseconds * 1_000_000)
