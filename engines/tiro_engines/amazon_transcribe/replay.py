"""The audio that is not settled yet: when a stream breaks, it is sent again over the next one."""

import numpy as np
from numpy.typing import NDArray

from tiro_engines.interface import SAMPLE_RATE, EngineUnavailable

KEPT_SECONDS_MAX = 120.0
"""The most audio that is kept. A worker that is cut off for longer loses the session to another worker."""

Pcm16 = NDArray[np.int16]


class Replay:
    """PCM16 from `start` on."""

    def __init__(self, start: int) -> None:
        self.start = start
        self._pieces: list[Pcm16] = []
        self._samples = 0

    @property
    def end(self) -> int:
        """The number of the next sample."""
        return self.start + self._samples

    def push(self, pcm: Pcm16) -> None:
        """Add audio.

        Raises:
            EngineUnavailable: Nothing has become final for too long.
        """
        if self._samples + len(pcm) > KEPT_SECONDS_MAX * SAMPLE_RATE:
            raise EngineUnavailable(f"nothing of the last {KEPT_SECONDS_MAX:.0f} s has become final at the service")
        self._pieces.append(pcm)
        self._samples += len(pcm)

    def drop_before(self, sample: int) -> None:
        """Drop the audio before a sample: it is settled."""
        while self._pieces and self.start < sample:
            cut = min(len(self._pieces[0]), sample - self.start)
            self._pieces[0] = self._pieces[0][cut:]
            self.start += cut
            self._samples -= cut
            if not len(self._pieces[0]):
                del self._pieces[0]

    def bytes(self) -> bytes:
        """The audio, in the format of the service."""
        return b"".join(piece.tobytes() for piece in self._pieces)
