"""The results of an engine: words, segments, and the result of a window."""

from dataclasses import dataclass

from tiro.speech.v1.transcript_pb2 import WarningReason


@dataclass(frozen=True, slots=True)
class Word:
    """One word as recognized: `text` is what stands between two spaces of the segment's text.

    `tiro_engines.whole_words` makes words of the pieces that a decoder writes.
    """

    text: str
    start: int
    """Sample."""
    end: int
    """Sample, after `start`."""
    probability: float
    """0 to 1."""
    stable: bool = True
    """In a partial: whether two decodings agreed on the word. Always true in a final."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Speech in one language, with its words if word timestamps were requested."""

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
    """0 to 1; 1 where the request named the language."""


@dataclass(frozen=True, slots=True)
class DroppedText:
    """Text that was decoded and dropped, because there seems to be no speech behind it."""

    text: str
    start: int
    """Sample."""
    end: int
    """Sample."""
    reason: str
    """For people."""


@dataclass(frozen=True, slots=True)
class EngineWarning:
    """A warning about the options of a request, or about its audio."""

    reason: "WarningReason.ValueType"
    """The contract's reason."""
    message: str
    """For people."""


@dataclass(frozen=True, slots=True)
class WindowResult:
    """The result of a window, besides its segments."""

    language: DetectedLanguage | None
    """The language of the window. None when it had no speech to detect it from."""
    warnings: tuple[EngineWarning, ...] = ()
    """A transcript has each once, however many windows return it."""
    dropped: tuple[DroppedText, ...] = ()
