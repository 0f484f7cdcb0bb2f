"""What live decoding asks of a voice activity detector."""

from typing import Protocol

from tiro_engines.interface import Samples

FRAME_SAMPLES = 512
"""In a frame of Silero, the detector that live sessions have."""


class VoiceActivity(Protocol):
    """Tells speech from everything else, frame by frame, remembering what it heard before."""

    @property
    def frame_samples(self) -> int:
        """Samples in a frame: as many as go evenly into 10 frames of Silero (5120 samples).

        What is kept in front of speech begins with a frame, so that another session hears the same ones.
        """

    def probabilities(self, samples: Samples) -> list[float]:
        """Return the speech probability of each frame that these samples complete."""
