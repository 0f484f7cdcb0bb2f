"""The protocol of an engine's decoder for a windowed session: words for a window of samples."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tiro_engines.interface import EngineWarning, RecognitionOptions, Samples


@dataclass(frozen=True, slots=True)
class DecodedWord:
    """A word with its position in the window that was decoded."""

    raw: str
    """The text, with a leading space where the language separates words by spaces."""
    start: int
    """Samples from the beginning of the window."""
    end: int
    """Samples from the beginning of the window."""
    probability: float
    """0 to 1."""
    tokens: tuple[int, ...] = ()
    """The decoder's tokens, where it has tokens."""

    def shifted(self, by: int) -> "DecodedWord":
        """The word in a window that begins `by` samples earlier."""
        return replace(self, start=self.start + by, end=self.end + by)

    @property
    def text(self) -> str:
        """The word without surrounding space."""
        return self.raw.strip()


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """The words of a window. No words where it has no speech, or none that the decoder accepts."""

    words: tuple[DecodedWord, ...] = ()
    language: str = ""
    """ISO 639 code."""
    warnings: tuple[EngineWarning, ...] = ()
    """Warnings about the options, of a final."""


@dataclass(frozen=True, slots=True)
class PartialWindow:
    """The end of an utterance, to be decoded for a partial."""

    samples: Samples
    preceding: Sequence[DecodedWord] = ()
    """The stable words of the same utterance before these samples: context, not part of the hypothesis."""


@dataclass(frozen=True, slots=True)
class DecodingContext:
    """The end of the final before a window. The window continues where these samples end."""

    samples: Samples
    text: str


class WindowDecoder(Protocol):
    """Decodes the windows of one session. It may keep the detected language between windows, but no text."""

    @property
    def seconds_max(self) -> float:
        """The longest window that it can decode."""

    def configure(self, options: RecognitionOptions) -> None:
        """Use other options from the next window on.

        Raises:
            UnsupportedLanguage: The options name a language that the model does not know. Nothing has changed.
        """

    def decode_partial(self, window: PartialWindow) -> Hypothesis:
        """Decode as fast as possible: the next partial replaces the hypothesis."""

    def decode_final(
        self, samples: Samples, prefix: Sequence[DecodedWord] = (), context: DecodingContext | None = None
    ) -> Hypothesis:
        """Decode as well as possible: the hypothesis is committed.

        Args:
            samples: The whole window.
            prefix: Words that the hypothesis must begin with.
            context: The final before the window, which is not part of the hypothesis.
        """
