"""What to decode, and with which effort.

Whisper was trained on windows of 30 s, padded with silence. An utterance with a pad of 2 s costs a quarter and serves
for a partial. With 4 s most finals are clear. With 8 s they are as good as with 30, and better than that with the end
of the final before as context.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tiro_engines.faster_whisper.languages import SpokenLanguage
from tiro_engines.interface import Samples


@dataclass(frozen=True, slots=True)
class Effort:
    """How much a decoding may cost, and what it accepts."""

    pad_seconds: float
    beam_size: int
    log_probability_min: float | None = None
    """Where set, a text with a lower log probability, or with any other sign of a fault, is rejected."""


PARTIAL = Effort(pad_seconds=2, beam_size=1)
QUICK = Effort(pad_seconds=4, beam_size=1, log_probability_min=-0.25)
"""For a final: clear speech needs no more.

Measured with tiny.en: of utterances of read speech one in eight is rejected, of telephone calls and noise one in two. A
longer pad gives the same text at more cost.
"""
WITH_CONTEXT = Effort(pad_seconds=8, beam_size=2, log_probability_min=-math.inf)
"""For a final that QUICK has rejected, with the final before it as context."""
CAREFUL = Effort(pad_seconds=8, beam_size=5)
"""For a final that both have rejected."""


@dataclass(frozen=True, slots=True)
class PrecedingFinal:
    """The end of the final before a window."""

    samples: Samples
    """The window continues where they end."""
    tokens: Sequence[int]
    """Its text."""


@dataclass(frozen=True, slots=True)
class DecodingTask:
    """A window, how to decode it, and what is known of its text, in tokens."""

    samples: Samples
    effort: Effort
    language: SpokenLanguage
    hotwords: str | None = None
    prompt: Sequence[int] = ()
    """Text before the window, without its audio."""
    prefix: Sequence[int] = ()
    """Text at the window's beginning: the result begins with it."""
    preceding: PrecedingFinal | None = None
    """Text and audio before the window, which are not part of the result."""

    @property
    def audio(self) -> Samples:
        """All that is encoded."""
        return self.samples if self.preceding is None else np.concatenate((self.preceding.samples, self.samples))

    @property
    def forced_tokens(self) -> list[int]:
        """What the generated text begins with."""
        return [*(self.preceding.tokens if self.preceding else ()), *self.prefix]
