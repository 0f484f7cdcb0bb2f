"""Word markers: numbers in samples, which can be found again exactly.

A marker is 200 ms long: twenty symbols of 10 ms, each a constant level.

    symbol   0    1    2 ... 17                      18   19
    level   -24  +24   8 hex digits d, two symbols   +24  +24     (in units of 1024; a digit is at d + 1)
                       each, highest first

No digit reaches the sync level, so the fall to -24 begins a marker. Between markers there are zeros. Levels lie 1024
apart: a rounding between float32 and PCM16, whichever scale it uses, changes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tiro_engines.interface import SAMPLE_RATE, Samples

SYMBOL_SAMPLES = SAMPLE_RATE // 100
MARKER_SAMPLES = 20 * SYMBOL_SAMPLES

_SYNC = 24
_BASE = 16
_DIGITS = 8
_DIGIT_SYMBOLS = slice(2, 2 + 2 * _DIGITS)
_LEVEL_PCM16 = np.int16(1024)
_LEVELS_FULL_SCALE = 32

SILENT_BELOW = 0.5 / _LEVELS_FULL_SCALE
"""Half a level: a sample nearer to zero than this is silence."""
WORD_MAX = _BASE**_DIGITS - 1


@dataclass(frozen=True, slots=True)
class Marker:
    """A complete marker. `start` and `end` count samples from the beginning of what was searched."""

    word: int
    start: int

    @property
    def end(self) -> int:
        """The first sample after the marker."""
        return self.start + MARKER_SAMPLES


def encode(words: Sequence[int], *, gap_ms: int = 100) -> NDArray[np.int16]:
    """Write words as markers.

    Args:
        words: Numbers from 0 to `WORD_MAX`.
        gap_ms: Silence after each marker.

    Returns:
        PCM16 samples at `SAMPLE_RATE`, shape (n,).

    Raises:
        ValueError: A number is out of range.
    """
    gap = np.zeros(SAMPLE_RATE * gap_ms // 1000, dtype=np.int16)
    pieces = [piece for word in words for piece in (_levels(word) * _LEVEL_PCM16, gap)]
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int16)


def find(samples: Samples) -> Iterator[Marker]:
    """Find the complete markers in order. One that the samples cut off at either end is not found."""
    levels = np.rint(samples * _LEVELS_FULL_SCALE).astype(np.int16)
    low = levels == -_SYNC
    falls = np.flatnonzero(low & ~np.concatenate(([False], low[:-1])))
    for start in falls:
        found = levels[start : start + MARKER_SAMPLES]
        if len(found) == MARKER_SAMPLES and (word := _decode(found)) is not None:
            yield Marker(word, int(start))


def first_sound(samples: Samples) -> int | None:
    """The index of the first sample that is not silent, or None where all are."""
    loud = np.flatnonzero(np.abs(samples) >= SILENT_BELOW)
    return int(loud[0]) if len(loud) else None


def _levels(word: int) -> NDArray[np.int16]:
    if not 0 <= word <= WORD_MAX:
        raise ValueError(f"a marker holds a number from 0 to {WORD_MAX}, not {word}")
    digits = [int(digit, _BASE) + 1 for digit in f"{word:0{_DIGITS}x}"]
    symbols = [-_SYNC, _SYNC, *np.repeat(digits, 2), _SYNC, _SYNC]
    return np.repeat(np.array(symbols, dtype=np.int16), SYMBOL_SAMPLES)


def _decode(levels: NDArray[np.int16]) -> int | None:
    centres = levels[SYMBOL_SAMPLES // 2 :: SYMBOL_SAMPLES]
    digits = centres[_DIGIT_SYMBOLS][::2].astype(int) - 1
    if digits.min() < 0 or digits.max() >= _BASE:
        return None
    word = int("".join(f"{digit:x}" for digit in digits), _BASE)
    return word if np.array_equal(levels, _levels(word)) else None
