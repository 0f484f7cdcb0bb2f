"""What an engine recognizes: words, segments, and what else is known of a window."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """One word as recognized. `text` has its punctuation and no surrounding space."""

    text: str
    start: int
    """Sample."""
    end: int
    """Sample, not before `start`."""
    probability: float
    """0 to 1."""
    stable: bool = True
    """In a partial: two decodings agreed on it. Always true in a final."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Speech of one language with its words (none when word timestamps were not asked for)."""

    text: str
    start: int
    """Sample."""
    end: int
    """Sample, not before `start`."""
    words: tuple[Word, ...] = ()
    language: str = ""
    """ISO 639 code."""


@dataclass(frozen=True, slots=True)
class DetectedLanguage:
    """The language that the engine detected, or that the request named."""

    code: str
    """ISO 639."""
    probability: float
    """0 to 1; 1 where the request named it."""


@dataclass(frozen=True, slots=True)
class DroppedText:
    """Text that was decoded and left out, because there seems to be no speech behind it."""

    text: str
    start: int
    """Sample."""
    end: int
    """Sample."""
    reason: str
    """For people."""


@dataclass(frozen=True, slots=True)
class WindowResult:
    """What a window gave besides its segments."""

    language: DetectedLanguage | None
    """None when the window had no speech to detect it from."""
    warnings: tuple[str, ...] = ()
    """For people."""
    dropped: tuple[DroppedText, ...] = ()
