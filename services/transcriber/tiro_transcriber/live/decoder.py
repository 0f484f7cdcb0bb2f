"""What live decoding asks of an engine: words for a window of samples."""

from dataclasses import dataclass
from typing import Protocol

from tiro_transcriber.engines.interface import Samples


@dataclass(frozen=True, slots=True)
class DecodedWord:
    """A word with its place in the window that was decoded."""

    raw: str
    """Text with the space that separates it from the word before, where its language writes one."""
    start: int
    """Samples from the beginning of the window."""
    end: int
    probability: float

    @property
    def text(self) -> str:
        """The word without surrounding space."""
        return self.raw.strip()


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a window says. No words where it holds no speech, or nothing that can be trusted to be any."""

    words: tuple[DecodedWord, ...] = ()
    language: str = ""


class WindowDecoder(Protocol):
    """Decodes windows of one session. It may remember the language it heard, but no text."""

    @property
    def seconds_max(self) -> float:
        """The longest window it can decode."""

    def decode_partial(self, samples: Samples) -> Decoded:
        """Decode as fast as possible: the result is shown and replaced."""

    def decode_final(self, samples: Samples) -> Decoded:
        """Decode as well as possible: the result is committed."""
