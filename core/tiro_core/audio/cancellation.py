"""Channels that cancel each other out when they are mixed.

A balanced line that was recorded as two channels has the same sound in both, one of them inverted: their mean is
silence. Then one channel is taken instead of the mean.
"""

import math

import numpy as np
import numpy.typing as npt

CANCELS_BELOW = 0.1
"""Channels cancel when their mean has less than this part of the energy that it would have without any relation."""

MIXES_ABOVE = 0.3
"""They are mixed again above this part. Between the two nothing changes."""

MEMORY_SECONDS = 0.2
"""Energies are averaged over about this time: longer than a tone of the voice, shorter than a word."""

ENERGY_MIN = 1e-6
"""Mean square of samples in [-1, 1] below which nothing is decided: -60 dB, noise of converters."""


class ChannelChooser:
    """Chooses between the mean of the channels and one of them, for one stream.

    Attributes:
        channel: the channel to take, from 0; None for the mean of all.
    """

    def __init__(self) -> None:
        self.channel: int | None = None
        self._energies: npt.NDArray[np.float64] = np.zeros(0)
        self._mean_energy = 0.0

    def listen(self, samples: npt.NDArray[np.floating], seconds: float) -> int | None:
        """Take samples into account, and return what to take from here on.

        Args:
            samples: of shape (channels, n), in [-1, 1]. They may be a part of the stream.
            seconds: the time since the last call.
        """
        energies = np.square(samples, dtype=np.float64).mean(axis=1)
        mean_energy = float(np.square(samples.mean(axis=0, dtype=np.float64)).mean())
        if energies.size != self._energies.size:  # the first samples, or another number of channels from here on
            self._energies, self._mean_energy, self.channel = energies, mean_energy, None
        else:
            kept = math.exp(-seconds / MEMORY_SECONDS)
            self._energies = kept * self._energies + (1 - kept) * energies
            self._mean_energy = kept * self._mean_energy + (1 - kept) * mean_energy
        loudest = int(self._energies.argmax())
        if self._energies[loudest] >= ENERGY_MIN:
            self._decide(loudest)
        return self.channel

    def _decide(self, loudest: int) -> None:
        unrelated = float(self._energies.sum()) / self._energies.size**2
        part = self._mean_energy / unrelated
        if part < CANCELS_BELOW:
            self.channel = loudest if self.channel is None else self.channel
        elif part > MIXES_ABOVE:
            self.channel = None
