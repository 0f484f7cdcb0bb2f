"""The protocol of voice activity detection for a windowed session."""

from typing import Protocol

from tiro_engines.interface import Samples

FRAME_SAMPLES = 512
"""The frame of Silero (32 ms), the detector that the engines of Tiro use."""


class VoiceActivity(Protocol):
    """Detects speech frame by frame. Holds the state of one session."""

    @property
    def frame_samples(self) -> int:
        """Samples in a frame: a divisor of 10 frames of Silero (5120 samples).

        The lead-in before speech consists of whole frames, so that a session that takes over has the same frames.
        """

    def probabilities(self, samples: Samples) -> list[float]:
        """The speech probability, 0 to 1, of each frame that these samples complete."""
