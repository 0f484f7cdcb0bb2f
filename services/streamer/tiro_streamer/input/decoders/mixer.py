"""Interleaved channels mixed to one."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tiro_core.audio.cancellation import ChannelChooser
from tiro_core.audio.pcm import pcm16_to_float32


class Mixer:
    """Takes the mean of the channels of one stream, or one of them where they cancel each other out.

    Args:
        expand: Turns bytes into interleaved samples.
        channels: The number of channels.
        rate_hz: The rate of their samples.
    """

    def __init__(self, expand: Callable[[bytes], NDArray[np.int16]], channels: int, rate_hz: int) -> None:
        self._expand = expand
        self._channels = channels
        self._rate_hz = rate_hz
        self._chooser = ChannelChooser()

    def mix(self, data: bytes) -> bytes:
        """The samples of one channel, little-endian, of whole frames."""
        samples = self._expand(data)
        if self._channels > 1:
            frames = samples.reshape(-1, self._channels)
            channel = self._chooser.listen(pcm16_to_float32(frames.T), len(frames) / self._rate_hz)
            samples = frames.mean(axis=1).astype(np.int16) if channel is None else frames[:, channel]
        return samples.astype("<i2", copy=False).tobytes()
