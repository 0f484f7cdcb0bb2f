"""The end of the last final as context, with which the next speech is recognized better."""

from collections.abc import Sequence

import numpy as np

from tiro_engines.interface import SAMPLE_RATE, CommittedContext, Samples
from tiro_engines.windowed.decoder import DecodedWord, DecodingContext
from tiro_engines.windowed.voice import FRAME_SAMPLES
from tiro_engines.windowed.window import AudioWindow

CONTEXT_SAMPLES_MAX = 6 * SAMPLE_RATE
"""The longest context. Measured with tiny.en: a longer one costs more and improves nothing."""
GAP_SAMPLES_MAX = 5 * SAMPLE_RATE
"""The longest silence after which a final is context: after a longer one the subject or the speaker may change."""
GAP_SAMPLES_KEPT = SAMPLE_RATE // 2
"""The longest silence between context and window that is decoded, because silence costs as much as speech."""
WINDOW_SAMPLES_MAX = 10 * SAMPLE_RATE
"""The longest window that is decoded with context."""


class PromptContext:
    """The end of the last final, with its audio."""

    def __init__(self, committed: CommittedContext) -> None:
        """The context without its audio, which `take_audio` adds."""
        self.committed = committed
        self._audio = AudioWindow(committed.start)

    def take_audio(self, samples: Samples) -> Samples:
        """Take the audio that is missing from the front of the next samples. Returns the rest."""
        missing = self.committed.end - self._audio.end
        if missing <= 0:
            return samples
        self._audio.append(samples[:missing])
        return samples[missing:]

    def is_near(self, at: int) -> bool:
        """Whether it is near enough to be context for a window that begins at this sample."""
        return at - self.committed.end <= GAP_SAMPLES_MAX

    def for_window(self, at: int, length: int) -> DecodingContext | None:
        """The context of a window with `length` samples that begins at the sample `at`. None where it needs none."""
        if length > WINDOW_SAMPLES_MAX:
            return None
        gap = np.zeros(min(at - self.committed.end, GAP_SAMPLES_KEPT), np.float32)
        return DecodingContext(np.concatenate((self._audio.since(self.committed.start), gap)), self.committed.text)


def context_at_end(words: Sequence[DecodedWord], window: AudioWindow, end: int) -> PromptContext:
    """The end of a final as context for the next one.

    Args:
        words: The words of the final, at least one, with positions in the window.
        window: The window that they were decoded from.
        end: The sample at which the final ends.
    """
    earliest = end - window.start - CONTEXT_SAMPLES_MAX
    count = sum(word.start < earliest for word in words[:-1])
    begin = (words[count - 1].end + words[count].start) // 2 if count else 0
    frames = (end - window.start - begin) // FRAME_SAMPLES  # whole frames, so that other rates have the same samples
    start = end - frames * FRAME_SAMPLES
    context = PromptContext(CommittedContext("".join(word.raw for word in words[count:]).strip(), start, end))
    context.take_audio(window.until(end)[start - window.start :])
    return context
