"""Subtitle cues: segments split into a few short lines each, shown for a few seconds."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration
from rich.cells import cell_len, split_graphemes

from tiro.speech.v1.transcript_pb2 import Segment
from tiro.transcription.v1.transcription_service_pb2 import SubtitleOptions
from tiro_formats.times import milliseconds_of

LINE_COLUMNS_MAX = 42
"""Columns per line; wide characters count two. The limit of broadcasters and of Netflix's timed text style guide."""
CUE_LINES_MAX = 2
READING_SPEED = 17
"""Characters per second that adults read: Netflix's timed text style guide, for most languages."""
CUE_MS_MAX = 7_000
"""The longest time that a cue is shown."""
CUE_MS_MIN = 1_000
"""The shortest, where the pause after the cue allows it."""
PAUSE_MS_MIN = 1_500
"""The shortest pause between two words that ends a cue."""
_CHUNK = re.compile(r"\s*\S+")


@dataclass(frozen=True, slots=True)
class Cue:
    """Lines of text, shown from one offset to another."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _TimedText:
    """A word, or a part of one, with the space before it and its times."""

    text: str
    start_ms: int
    end_ms: int


def cues_of(
    segments: Iterable[Segment], options: SubtitleOptions | None = None, next_segment: Segment | None = None
) -> list[Cue]:
    """The cues of some segments, in order. They do not overlap where the segments do not.

    Args:
        segments: The segments, in order.
        options: How to split them. Fields that are 0 take their defaults.
        next_segment: The next segment after them that `has_cues`. The last cue is not shown into its first one.
    """
    splitter = _Splitter(options or SubtitleOptions())
    cues = [cue for segment in segments for cue in splitter.split(segment)]
    next_starts = [cue.start_ms for cue in splitter.split(next_segment)][:1] if next_segment is not None else []
    limits = [*(cue.start_ms for cue in cues[1:]), *next_starts, None]
    # Without cues there is still one limit.
    return [splitter.extended(cue, limit) for cue, limit in zip(cues, limits, strict=False)]


def has_cues(segment: Segment) -> bool:
    """Whether a segment has text to show."""
    return bool(segment.text.strip())


class _Splitter:
    """Splits segments into cues."""

    def __init__(self, options: SubtitleOptions) -> None:
        self._columns = options.line_columns_max or LINE_COLUMNS_MAX
        self._lines = options.cue_lines_max or CUE_LINES_MAX
        self._speed = options.reading_speed or READING_SPEED

    def split(self, segment: Segment) -> Iterator[Cue]:
        """A segment's cues, each ending with its last word."""
        group: list[_TimedText] = []
        lines: list[str] = []
        for item in _timed_texts(segment, self._columns):
            extended = _appended(lines, item.text, self._columns)
            if group and (len(extended) > self._lines or _needs_new_cue(group, item)):
                yield self._cue(group)
                group, extended = [], _appended([], item.text, self._columns)
            group.append(item)
            lines = extended
        if group:
            yield self._cue(group)

    def extended(self, cue: Cue, limit_ms: int | None) -> Cue:
        """A cue that is shown long enough to be read, but not after `limit_ms`."""
        reading_ms = sum(len(line) for line in cue.lines) * 1000 // self._speed
        wanted = max(cue.end_ms, cue.start_ms + max(reading_ms, CUE_MS_MIN))
        end = min(wanted, cue.start_ms + CUE_MS_MAX)
        if limit_ms is not None:
            end = min(end, max(limit_ms, cue.end_ms))
        # Players do not show a cue that ends where it begins.
        return Cue(cue.start_ms, max(end, cue.start_ms + 1), cue.lines)

    def _cue(self, group: Sequence[_TimedText]) -> Cue:
        lines = _balanced([item.text for item in group], self._columns)
        return Cue(group[0].start_ms, group[-1].end_ms, tuple(lines))


def _needs_new_cue(group: Sequence[_TimedText], item: _TimedText) -> bool:
    """Whether a word is spoken too late to share a cue with the words before it."""
    return item.end_ms - group[0].start_ms > CUE_MS_MAX or item.start_ms - group[-1].end_ms >= PAUSE_MS_MIN


def _timed_texts(segment: Segment, columns_max: int) -> list[_TimedText]:
    """The segment's text split at its words, each no wider than a line."""
    timed = _timed_words(segment) or [_timed_text(segment.text, segment.start_offset, segment.end_offset)]
    return [part for item in timed for part in _fitted(item, columns_max)]


def _timed_words(segment: Segment) -> list[_TimedText]:
    """The words with the space before them, located in the text. Empty when words and text differ."""
    found: list[_TimedText] = []
    position = 0
    for word in segment.words:
        begin = segment.text.find(word.text, position)
        if begin < 0 or segment.text[position:begin].strip():
            return []
        end = begin + len(word.text)
        found.append(_timed_text(segment.text[position:end], word.start_offset, word.end_offset))
        position = end
    return [] if segment.text[position:].strip() else found


def _timed_text(text: str, start: Duration, end: Duration) -> _TimedText:
    start_ms = max(milliseconds_of(start), 0)
    return _TimedText(text, start_ms, max(milliseconds_of(end), start_ms))


def _fitted(item: _TimedText, columns_max: int) -> Iterator[_TimedText]:
    """A text split at its spaces, and within a word that is wider than a line; its time in proportion to characters."""
    chunks = [re.sub(r"^\s+", " ", chunk) for chunk in _CHUNK.findall(item.text)]
    texts = [part for chunk in chunks for part in _narrowed(chunk, columns_max)]
    length = sum(len(text) for text in texts)
    duration = item.end_ms - item.start_ms
    position = 0
    for text in texts:
        start = item.start_ms + duration * position // length
        position += len(text)
        yield _TimedText(text, start, item.start_ms + duration * position // length)


def _narrowed(text: str, columns_max: int) -> Iterator[str]:
    """A text without inner space, split so that each part fits a line. Graphemes stay whole."""
    if cell_len(text.strip()) <= columns_max:
        yield text
        return
    spans, _ = split_graphemes(text)
    part, columns = "", 0
    for begin, end, width in spans:
        if part and columns + width > columns_max:
            yield part
            part, columns = "", 0
        part += text[begin:end]
        columns += width
    yield part


def _appended(lines: Sequence[str], text: str, columns_max: int) -> list[str]:
    """Lines with a text appended: to the last line where it fits, else on a new one."""
    if lines and cell_len((lines[-1] + text).strip()) <= columns_max:
        return [*lines[:-1], lines[-1] + text]
    return [*lines, text.strip()]


def _wrapped(texts: Iterable[str], columns_max: int) -> list[str]:
    """Texts joined into lines of at most `columns_max` columns, each line as full as possible."""
    lines: list[str] = []
    for text in texts:
        lines = _appended(lines, text, columns_max)
    return lines


def _balanced(texts: Sequence[str], columns_max: int) -> list[str]:
    """Texts joined into as few lines as possible, of similar width: easier to read than a full line and one word."""
    needed = len(_wrapped(texts, columns_max))
    even = cell_len("".join(texts)) // needed - 1
    columns = min(max(even, *(cell_len(text.strip()) for text in texts)), columns_max)
    while len(lines := _wrapped(texts, columns)) > needed and columns < columns_max:
        columns += 1
    return lines
