"""What live decoding asks of an engine: words for a window of samples."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tiro_engines.interface import RecognitionOptions, Samples


@dataclass(frozen=True, slots=True)
class DecodedWord:
    """A word with its place in the window that was decoded."""

    raw: str
    """Text with the space that separates it from the word before, where its language writes one."""
    start: int
    """Samples from the beginning of the window."""
    end: int
    probability: float
    tokens: tuple[int, ...] = ()
    """What the decoder wrote for it, where it writes tokens."""

    def shifted(self, by: int) -> "DecodedWord":
        """The word in a window that begins `by` samples earlier."""
        return replace(self, start=self.start + by, end=self.end + by)

    @property
    def text(self) -> str:
        """The word without surrounding space."""
        return self.raw.strip()


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a window says. No words where it holds no speech, or nothing that can be trusted to be any."""

    words: tuple[DecodedWord, ...] = ()
    language: str = ""


@dataclass(frozen=True, slots=True)
class PartialWindow:
    """The end of an utterance, to be shown and replaced."""

    samples: Samples
    before: Sequence[DecodedWord] = ()
    """The words of the same utterance that come before these samples: context, not part of the result."""


@dataclass(frozen=True, slots=True)
class Context:
    """What was said before a window, and is final. The window goes on where these samples end."""

    samples: Samples
    text: str


class WindowDecoder(Protocol):
    """Decodes windows of one session. It may remember the language it heard, but no text."""

    @property
    def seconds_max(self) -> float:
        """The longest window it can decode."""

    def configure(self, options: RecognitionOptions) -> None:
        """Recognize differently from the next window on.

        Raises:
            UnsupportedLanguage: The options name a language that it does not know. Nothing has changed.
        """

    def decode_partial(self, window: PartialWindow) -> Decoded:
        """Decode as fast as possible: the result is shown and replaced."""

    def decode_final(
        self, samples: Samples, agreed: Sequence[DecodedWord] = (), context: Context | None = None
    ) -> Decoded:
        """Decode as well as possible: the result is committed.

        Args:
            samples: The whole window.
            agreed: Words that the result must begin with.
            context: What was said before, which is no part of the result.
        """
