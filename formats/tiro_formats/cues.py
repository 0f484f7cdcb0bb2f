"""Segments cut into what a viewer can read: short lines, two of them, on the screen for a few seconds."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration
from rich.cells import cell_len, split_graphemes

from tiro.speech.v1.transcript_pb2 import Segment
from tiro.transcription.v1.transcription_service_pb2 import SubtitleOptions
from tiro_formats.times import milliseconds_of

LINE_COLUMNS_MAX = 42
"""Columns a line: what broadcasters and Netflix's timed text style guide take. Wide characters count two."""
CUE_LINES_MAX = 2
READING_SPEED = 17
"""Characters a second that adults read: what Netflix's timed text style guide took for most languages."""
CUE_MS_MAX = 7_000
"""The longest a cue stays."""
CUE_MS_MIN = 1_000
"""The shortest, where the pause after it leaves the time."""
PAUSE_MS_MIN = 1_500
"""A pause between words so long ends a cue."""
_CHUNK = re.compile(r"\s*\S+")


@dataclass(frozen=True, slots=True)
class Cue:
    """Text on the screen from one moment to another, both in milliseconds."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A word as it stands in the text, the space before it included, and when it is said."""

    text: str
    start_ms: int
    end_ms: int


def cues_of(
    segments: Iterable[Segment], options: SubtitleOptions | None = None, following: Segment | None = None
) -> list[Cue]:
    """The cues of some segments, in order. They do not overlap where the segments do not.

    Args:
        segments: The segments, in order.
        options: How to cut them. What is 0 takes the default.
        following: The next segment behind them that `has_cues`. The last cue does not stay into its first one.
    """
    cutter = _Cutter(options or SubtitleOptions())
    cues = [cue for segment in segments for cue in cutter.cut(segment)]
    behind = [cue.start_ms for cue in cutter.cut(following)][:1] if following is not None else []
    untils = [*(cue.start_ms for cue in cues[1:]), *behind, None]
    # Without cues there is still the end of time.
    return [cutter.readable(cue, until) for cue, until in zip(cues, untils, strict=False)]


def has_cues(segment: Segment) -> bool:
    """Whether there is anything to show of a segment."""
    return bool(segment.text.strip())


class _Cutter:
    """Cuts segments as the options say."""

    def __init__(self, options: SubtitleOptions) -> None:
        self._columns = options.line_columns_max or LINE_COLUMNS_MAX
        self._lines = options.cue_lines_max or CUE_LINES_MAX
        self._speed = options.reading_speed or READING_SPEED

    def cut(self, segment: Segment) -> Iterator[Cue]:
        """A segment's cues, each ending with its last word."""
        group: list[_Piece] = []
        lines: list[str] = []
        for piece in _pieces(segment, self._columns):
            longer = _with(lines, piece.text, self._columns)
            if group and (len(longer) > self._lines or _is_apart(group, piece)):
                yield self._cue(group)
                group, longer = [], _with([], piece.text, self._columns)
            group.append(piece)
            lines = longer
        if group:
            yield self._cue(group)

    def readable(self, cue: Cue, until_ms: int | None) -> Cue:
        """A cue that stays long enough to be read, but not into the next one."""
        reading_ms = sum(len(line) for line in cue.lines) * 1000 // self._speed
        wanted = max(cue.end_ms, cue.start_ms + max(reading_ms, CUE_MS_MIN))
        end = min(wanted, cue.start_ms + CUE_MS_MAX)
        if until_ms is not None:
            end = min(end, max(until_ms, cue.end_ms))
        # Players show nothing of a cue that ends where it begins.
        return Cue(cue.start_ms, max(end, cue.start_ms + 1), cue.lines)

    def _cue(self, group: Sequence[_Piece]) -> Cue:
        lines = _balanced([piece.text for piece in group], self._columns)
        return Cue(group[0].start_ms, group[-1].end_ms, tuple(lines))


def _is_apart(group: Sequence[_Piece], piece: _Piece) -> bool:
    """Whether a piece is said too late to share a cue with those before it."""
    return piece.end_ms - group[0].start_ms > CUE_MS_MAX or piece.start_ms - group[-1].end_ms >= PAUSE_MS_MIN


def _pieces(segment: Segment, columns_max: int) -> list[_Piece]:
    """The segment's text cut at its words, each no wider than a line."""
    timed = _pieces_from_words(segment) or [_piece(segment.text, segment.start_offset, segment.end_offset)]
    return [part for piece in timed for part in _spread(piece, columns_max)]


def _pieces_from_words(segment: Segment) -> list[_Piece]:
    """The words with the space before them, found in the text. Empty when the two do not agree."""
    pieces: list[_Piece] = []
    position = 0
    for word in segment.words:
        found = segment.text.find(word.text, position)
        if found < 0 or segment.text[position:found].strip():
            return []
        end = found + len(word.text)
        pieces.append(_piece(segment.text[position:end], word.start_offset, word.end_offset))
        position = end
    return [] if segment.text[position:].strip() else pieces


def _piece(text: str, start: Duration, end: Duration) -> _Piece:
    start_ms = max(milliseconds_of(start), 0)
    return _Piece(text, start_ms, max(milliseconds_of(end), start_ms))


def _spread(piece: _Piece, columns_max: int) -> Iterator[_Piece]:
    """A piece cut at its spaces, and where that is too wide anywhere, its time spread over its characters."""
    chunks = [re.sub(r"^\s+", " ", chunk) for chunk in _CHUNK.findall(piece.text)]
    texts = [part for chunk in chunks for part in _narrow(chunk, columns_max)]
    length = sum(len(text) for text in texts)
    duration = piece.end_ms - piece.start_ms
    position = 0
    for text in texts:
        start = piece.start_ms + duration * position // length
        position += len(text)
        yield _Piece(text, start, piece.start_ms + duration * position // length)


def _narrow(text: str, columns_max: int) -> Iterator[str]:
    """A text without space inside, cut so that each part fits a line. Characters stay whole, accents and all."""
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


def _with(lines: Sequence[str], text: str, columns_max: int) -> list[str]:
    """Lines with a text added, to the last of them if it fits there."""
    if lines and cell_len((lines[-1] + text).strip()) <= columns_max:
        return [*lines[:-1], lines[-1] + text]
    return [*lines, text.strip()]


def _wrap(texts: Iterable[str], columns_max: int) -> list[str]:
    """Texts joined into lines of at most `columns_max` columns, each line as full as it can be."""
    lines: list[str] = []
    for text in texts:
        lines = _with(lines, text, columns_max)
    return lines


def _balanced(texts: Sequence[str], columns_max: int) -> list[str]:
    """As many lines as needed, as even as can be: two half lines are read more easily than a full one and a word."""
    needed = len(_wrap(texts, columns_max))
    even = cell_len("".join(texts)) // needed - 1
    columns = min(max(even, *(cell_len(text.strip()) for text in texts)), columns_max)
    while len(lines := _wrap(texts, columns)) > needed and columns < columns_max:
        columns += 1
    return lines
