"""What is to be decoded, and with how much effort.

Whisper was trained on 30 s, silence filling them up. An utterance with 2 s of it costs a quarter and serves for a
partial. With 4 s most finals are clear; with 8 s they are as good as with 30, and behind the end of the final before
better than that.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tiro_engines.faster_whisper.languages import SpokenLanguage
from tiro_engines.interface import Samples


@dataclass(frozen=True, slots=True)
class Effort:
    """How much a decoding may cost."""

    pad_seconds: float
    beam_size: int
    doubted_below: float | None = None
    """Where set, a text with less log probability, or any other reason for doubt, is no result."""


PARTIAL = Effort(pad_seconds=2, beam_size=1)
QUICK = Effort(pad_seconds=4, beam_size=1, doubted_below=-0.25)
"""For a final: what is spoken clearly needs no more.

Measured with tiny.en: one in eight utterances of read speech is doubted, of telephone calls and noise one in two. A
longer pad gives the same text at more cost.
"""
BEHIND = Effort(pad_seconds=8, beam_size=2, doubted_below=-math.inf)
"""For a final that was doubted, behind its context."""
CAREFUL = Effort(pad_seconds=8, beam_size=5)
"""For one that still is."""


@dataclass(frozen=True, slots=True)
class Preceding:
    """What was said before a window: the audio that it goes on from, and its text."""

    samples: Samples
    tokens: Sequence[int]


@dataclass(frozen=True, slots=True)
class Task:
    """A window, how to decode it, and what is known of its text, in tokens."""

    samples: Samples
    effort: Effort
    language: SpokenLanguage
    hotwords: str | None = None
    context: Sequence[int] = ()
    """Said before the window."""
    prefix: Sequence[int] = ()
    """Said at the window's beginning: the result begins with it."""
    preceding: Preceding | None = None
    """Heard before the window, and no part of the result."""

    @property
    def audio(self) -> Samples:
        """What is heard."""
        return self.samples if self.preceding is None else np.concatenate((self.preceding.samples, self.samples))

    @property
    def written(self) -> list[int]:
        """What the decoder's text begins with."""
        return [*(self.preceding.tokens if self.preceding else ()), *self.prefix]
