"""Subtitle cues: segments split into a few short lines each, shown for a few seconds."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from tiro.speech.v1.transcript_pb2 import Segment
from tiro.transcription.v1.transcription_service_pb2 import SubtitleOptions
from tiro_formats.labels import label_of
from tiro_formats.lines import best_end, fits, wrapped
from tiro_formats.timed_parts import TimedPart, timed_parts

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


@dataclass(frozen=True, slots=True)
class Cue:
    """Lines of text, shown from one offset to another."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    label: str = ""
    """Who speaks. Empty where that is not known. The first line has room for it, in brackets."""


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
        label = label_of(segment)
        reserved = len(f"[{label}] ") if label else 0
        parts = timed_parts(segment, self._columns)
        while parts:
            count = self._count(parts, reserved)
            yield self._cue(parts[:count], label, reserved)
            parts = parts[count:]

    def extended(self, cue: Cue, limit_ms: int | None) -> Cue:
        """A cue that is shown long enough to be read, but not after `limit_ms`."""
        reading_ms = sum(len(line) for line in cue.lines) * 1000 // self._speed
        wanted = max(cue.end_ms, cue.start_ms + max(reading_ms, CUE_MS_MIN))
        end = min(wanted, cue.start_ms + CUE_MS_MAX)
        if limit_ms is not None:
            end = min(end, max(limit_ms, cue.end_ms))
        # Players do not show a cue that ends where it begins.
        return replace(cue, end_ms=max(end, cue.start_ms + 1))

    def _count(self, parts: Sequence[TimedPart], reserved: int) -> int:
        """The number of parts for the next cue: up to a pause, or as many as fit, better up to a punctuation mark."""
        texts: list[str] = []
        for part in parts:
            if texts and part.start_ms - parts[len(texts) - 1].end_ms >= PAUSE_MS_MIN:
                return len(texts)
            too_long = part.end_ms - parts[0].start_ms > CUE_MS_MAX
            if texts and (too_long or not fits([*texts, part.text], self._columns, self._lines, reserved)):
                return best_end(texts)
            texts.append(part.text)
        return len(texts)

    def _cue(self, parts: Sequence[TimedPart], label: str, reserved: int) -> Cue:
        lines = wrapped([part.text for part in parts], self._columns, reserved)
        return Cue(parts[0].start_ms, parts[-1].end_ms, tuple(lines), label)
