"""The samples of a session that are not final yet, addressed by their number in the session."""

import numpy as np

from tiro_engines.interface import Samples


class AudioWindow:
    """A run of samples that grows at its end and is trimmed at its start."""

    def __init__(self, start: int) -> None:
        self._samples: Samples = np.zeros(0, dtype=np.float32)
        self._start = start

    @property
    def start(self) -> int:
        """The first sample."""
        return self._start

    @property
    def end(self) -> int:
        """The sample after the last one."""
        return self._start + len(self._samples)

    def append(self, samples: Samples) -> None:
        """Add samples at the end."""
        self._samples = np.concatenate((self._samples, samples))

    def until(self, end: int) -> Samples:
        """The samples before the sample `end`."""
        return self._samples[: end - self._start]

    def since(self, start: int) -> Samples:
        """The samples from the sample `start` on."""
        return self._samples[start - self._start :]

    def trim(self, start: int) -> None:
        """Drop the samples before the sample `start`."""
        dropped = min(start, self.end) - self._start
        if dropped > 0:
            self._samples = self._samples[dropped:].copy()  # a view would keep what was dropped in memory
            self._start += dropped
