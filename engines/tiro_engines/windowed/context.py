"""What was said last, as context: the next utterance is heard better behind it."""

from collections.abc import Sequence

import numpy as np

from tiro_engines.interface import SAMPLE_RATE, Samples, Spoken
from tiro_engines.windowed.decoder import Context, DecodedWord
from tiro_engines.windowed.voice import FRAME_SAMPLES
from tiro_engines.windowed.window import AudioWindow

CONTEXT_SAMPLES_MAX = 6 * SAMPLE_RATE
"""Of the end of a final. Measured with tiny.en: what is before adds nothing but cost."""
GAP_SAMPLES_MAX = 5 * SAMPLE_RATE
"""After a longer silence something else may be said, perhaps by somebody else."""
GAP_SAMPLES_KEPT = SAMPLE_RATE // 2
"""So much of the silence between is heard: it costs as much as speech."""
WINDOW_SAMPLES_MAX = 10 * SAMPLE_RATE
"""A longer window has context enough of its own."""


class PromptContext:
    """The end of what is final, with its audio."""

    def __init__(self, spoken: Spoken) -> None:
        """Its audio is still to be heard."""
        self.spoken = spoken
        self._audio = AudioWindow(spoken.start)

    def hear(self, samples: Samples) -> Samples:
        """Take what there is of its audio from the front of the next samples. Returns the rest."""
        missing = self.spoken.until - self._audio.end
        if missing <= 0:
            return samples
        self._audio.append(samples[:missing])
        return samples[missing:]

    def helps(self, at: int) -> bool:
        """Whether it is context for what begins at this sample."""
        return at - self.spoken.until <= GAP_SAMPLES_MAX

    def before(self, at: int, length: int) -> Context | None:
        """It as the context of a window that begins at this sample and is so long; None where it needs none."""
        if length > WINDOW_SAMPLES_MAX:
            return None
        gap = np.zeros(min(at - self.spoken.until, GAP_SAMPLES_KEPT), np.float32)
        return Context(np.concatenate((self._audio.since(self.spoken.start), gap)), self.spoken.text)


def end_of(words: Sequence[DecodedWord], window: AudioWindow, until: int) -> PromptContext:
    """The end of a window up to a sample, as far as it serves as context.

    Args:
        words: The window's, at least one, placed from its beginning.
        window: Where they were heard.
        until: Where it ends.
    """
    earliest = until - window.start - CONTEXT_SAMPLES_MAX
    count = sum(word.start < earliest for word in words[:-1])
    begin = (words[count - 1].end + words[count].start) // 2 if count else 0
    frames = (until - window.start - begin) // FRAME_SAMPLES  # whole ones, so that other rates have the same samples
    start = until - frames * FRAME_SAMPLES
    said = PromptContext(Spoken("".join(word.raw for word in words[count:]).strip(), start, until))
    said.hear(window.until(until)[start - window.start :])
    return said
