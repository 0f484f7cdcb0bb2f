"""Segments cut into what a viewer can read: short lines, two of them, on the screen for a few seconds."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.cells import cell_len, split_graphemes

from tiro_client.transcript import Segment

LINE_COLUMNS_MAX = 42
"""Columns a line: what broadcasters and Netflix's timed text style guide take. Wide characters count two."""
LINES_MAX = 2
CUE_SECONDS_MAX = 7.0
"""The longest a cue stays."""
CUE_SECONDS_MIN = 1.0
"""The shortest, where the pause after it leaves the time."""
PAUSE_SECONDS_MIN = 1.5
"""A pause between words so long ends a cue."""
_MILLISECOND = 0.001
_CHUNK = re.compile(r"\s*\S+")


@dataclass(frozen=True, slots=True)
class Cue:
    """Text on the screen from one moment to another."""

    start_seconds: float
    end_seconds: float
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A word as it stands in the text, the space before it included, and when it is said."""

    text: str
    start_seconds: float
    end_seconds: float


def cues_of(segments: Iterable[Segment]) -> list[Cue]:
    """The cues of a transcript, in order. They do not overlap where the segments do not."""
    cues = [cue for segment in segments for cue in _cues_of_segment(segment)]
    following = [*(cue.start_seconds for cue in cues[1:]), float("inf")]
    # Without cues there is still the end of time.
    return [_readable(cue, until) for cue, until in zip(cues, following, strict=False)]


def _readable(cue: Cue, until: float) -> Cue:
    """A cue that stays long enough to be read, but not into the next one."""
    wanted = max(cue.end_seconds, cue.start_seconds + CUE_SECONDS_MIN)
    longest = min(wanted, cue.start_seconds + CUE_SECONDS_MAX, max(until, cue.end_seconds))
    return Cue(cue.start_seconds, max(longest, cue.start_seconds + _MILLISECOND), cue.lines)


def _cues_of_segment(segment: Segment) -> Iterator[Cue]:
    group: list[_Piece] = []
    for piece in _pieces(segment):
        if group and not _fits(group, piece):
            yield _cue(group)
            group = []
        group.append(piece)
    if group:
        yield _cue(group)


def _fits(group: list[_Piece], piece: _Piece) -> bool:
    if piece.end_seconds - group[0].start_seconds > CUE_SECONDS_MAX:
        return False
    if piece.start_seconds - group[-1].end_seconds >= PAUSE_SECONDS_MIN:
        return False
    return len(wrap([part.text for part in (*group, piece)])) <= LINES_MAX


def _cue(group: list[_Piece]) -> Cue:
    lines = _balanced([piece.text for piece in group])
    return Cue(group[0].start_seconds, group[-1].end_seconds, tuple(lines))


def _pieces(segment: Segment) -> list[_Piece]:
    """The segment's text cut at its words, each no wider than a line."""
    timed = _pieces_from_words(segment) or [_Piece(segment.text, segment.start_seconds, segment.end_seconds)]
    return [part for piece in timed for part in _spread(piece)]


def _pieces_from_words(segment: Segment) -> list[_Piece]:
    """The words with the space before them, found in the text. Empty when the two do not agree."""
    pieces: list[_Piece] = []
    position = 0
    for word in segment.words:
        found = segment.text.find(word.text, position)
        if found < 0 or segment.text[position:found].strip():
            return []
        end = found + len(word.text)
        pieces.append(_Piece(segment.text[position:end], word.start_seconds, word.end_seconds))
        position = end
    return [] if segment.text[position:].strip() else pieces


def _spread(piece: _Piece) -> Iterator[_Piece]:
    """A piece cut at its spaces, and where that is too wide anywhere, its time spread over its characters."""
    chunks = [re.sub(r"^\s+", " ", chunk) for chunk in _CHUNK.findall(piece.text)]
    texts = [part for chunk in chunks for part in _narrow(chunk)]
    length = sum(len(text) for text in texts)
    duration = piece.end_seconds - piece.start_seconds
    position = 0
    for text in texts:
        start = piece.start_seconds + duration * position / length
        position += len(text)
        yield _Piece(text, start, piece.start_seconds + duration * position / length)


def _narrow(text: str) -> Iterator[str]:
    """A text without space inside, cut so that each part fits a line. Characters stay whole, accents and all."""
    if cell_len(text.strip()) <= LINE_COLUMNS_MAX:
        yield text
        return
    spans, _ = split_graphemes(text)
    part, columns = "", 0
    for begin, end, width in spans:
        if part and columns + width > LINE_COLUMNS_MAX:
            yield part
            part, columns = "", 0
        part += text[begin:end]
        columns += width
    yield part


def wrap(texts: Iterable[str], columns_max: int = LINE_COLUMNS_MAX) -> list[str]:
    """Texts joined into lines of at most `columns_max` columns, each line as full as it can be."""
    lines: list[str] = []
    for text in texts:
        joined = lines[-1] + text if lines else ""
        if lines and cell_len(joined.strip()) <= columns_max:
            lines[-1] = joined
        else:
            lines.append(text.strip())
    return lines


def _balanced(texts: list[str]) -> list[str]:
    """As many lines as needed, as even as can be: two half lines are read more easily than a full one and a word."""
    needed = len(wrap(texts))
    columns = max(cell_len(text.strip()) for text in texts)
    while len(lines := wrap(texts, columns)) > needed:
        columns += 1
    return lines
