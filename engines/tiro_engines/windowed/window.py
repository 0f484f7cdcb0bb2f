"""The samples of a session that are not final yet, addressed by their absolute position."""

import numpy as np

from tiro_engines.interface import Samples


class AudioWindow:
    """A run of samples that grows at its end and is trimmed at its start."""

    def __init__(self, start: int) -> None:
        self._samples: Samples = np.zeros(0, dtype=np.float32)
        self._start = start

    @property
    def start(self) -> int:
        """Position of the first sample held."""
        return self._start

    @property
    def end(self) -> int:
        """Position after the last sample held."""
        return self._start + len(self._samples)

    def append(self, samples: Samples) -> None:
        """Add samples at the end."""
        self._samples = np.concatenate((self._samples, samples))

    def until(self, end: int) -> Samples:
        """Return the samples from the start up to the position `end`."""
        return self._samples[: end - self._start]

    def since(self, start: int) -> Samples:
        """Return the samples from the position `start` on."""
        return self._samples[start - self._start :]

    def trim(self, start: int) -> None:
        """Let go of all samples before the position `start`."""
        dropped = min(start, self.end) - self._start
        if dropped > 0:
            self._samples = self._samples[dropped:].copy()  # a view would keep what was dropped in memory
            self._start += dropped
