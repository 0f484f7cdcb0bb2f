"""Voice activity by PocketSphinx's detector, which is WebRTC's: a frame is speech or not."""

import numpy as np
from pocketsphinx import Vad

from tiro_engines.interface import SAMPLE_RATE, Samples
from tiro_engines.pcm import float32_to_pcm16

FRAME_SAMPLES = SAMPLE_RATE * 20 // 1000
"""A frame length of the detector that divides ten frames of Silero; see `VoiceActivity.frame_samples`."""


class PocketsphinxVoice:
    """The detector's state for one session."""

    frame_samples = FRAME_SAMPLES

    def __init__(self) -> None:
        self._vad = Vad(Vad.STRICT, SAMPLE_RATE, FRAME_SAMPLES / SAMPLE_RATE)  # the other modes detect speech in noise
        self._pending: Samples = np.zeros(0, dtype=np.float32)
        """Samples of the next frame."""

    def probabilities(self, samples: Samples) -> list[float]:
        """1 or 0 for each frame that these samples complete."""
        pending = np.concatenate((self._pending, samples))
        count = len(pending) // FRAME_SAMPLES
        self._pending = pending[count * FRAME_SAMPLES :].copy()
        frames = float32_to_pcm16(pending[: count * FRAME_SAMPLES]).reshape(count, FRAME_SAMPLES)
        return [float(self._vad.is_speech(frame.tobytes())) for frame in frames]
