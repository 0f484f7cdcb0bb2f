"""Decoding tasks: a window, and the effort of its decoding.

Whisper was trained on windows of 30 s, padded with silence. An utterance with a pad of 2 s costs a quarter, and is good
enough for a partial. With 4 s most finals are good. With 8 s they are as good as with 30 s, and better than that with
the end of the final before as context.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tiro_engines.faster_whisper.spoken_language import SpokenLanguage
from tiro_engines.interface import Samples


@dataclass(frozen=True, slots=True)
class Effort:
    """The cost of a decoding, and the texts that it accepts."""

    pad_seconds: float
    beam_size: int
    log_probability_min: float | None = None
    """A text with a lower log probability, or another sign of a fault, is rejected. None: every text is accepted."""


PARTIAL = Effort(pad_seconds=2, beam_size=1)
QUICK = Effort(pad_seconds=4, beam_size=1, log_probability_min=-0.25)
"""For a final: enough for clear speech.

Measured with tiny.en: of utterances of read speech one in eight is rejected, of telephone calls and noise one in two. A
longer pad gives the same text at more cost.
"""
WITH_CONTEXT = Effort(pad_seconds=8, beam_size=2, log_probability_min=-math.inf)
"""For a final that QUICK has rejected, with the final before it as context."""
CAREFUL = Effort(pad_seconds=8, beam_size=5)
"""For a final that QUICK and WITH_CONTEXT have rejected."""


@dataclass(frozen=True, slots=True)
class PrecedingFinal:
    """The end of the final before a window."""

    samples: Samples
    """The audio of that end. The window continues where it ends."""
    tokens: Sequence[int]
    """The text of that end."""


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
        """The samples that are encoded: those of the preceding final, and the window."""
        return self.samples if self.preceding is None else np.concatenate((self.preceding.samples, self.samples))

    @property
    def forced_tokens(self) -> list[int]:
        """The tokens with which the generated text begins."""
        return [*(self.preceding.tokens if self.preceding else ()), *self.prefix]

    @property
    def word_borders(self) -> tuple[int, int]:
        """The numbers of forced tokens after which a word begins: what is final, or frozen, is not continued."""
        preceding = len(self.preceding.tokens) if self.preceding else 0
        return preceding, preceding + len(self.prefix)
