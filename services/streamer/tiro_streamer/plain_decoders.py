"""Encodings whose bytes are samples."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tiro_core.audio.errors import AudioFormatMismatchError
from tiro_core.audio.pcm import SAMPLE_BYTES, mulaw_to_pcm16, pcm16_from_bytes
from tiro_streamer.decoder import Sink


class PlainDecoder:
    """Turns bytes into samples and mixes interleaved channels to one.

    A message may end within a sample, or between the channels of a frame; the stream may not.
    """

    def __init__(
        self, sink: Sink, sample_bytes: int, channels: int, expand: Callable[[bytes], NDArray[np.int16]]
    ) -> None:
        self._sink = sink
        self._frame_bytes = sample_bytes * channels
        self._channels = channels
        self._expand = expand
        self._rest = b""

    async def write(self, data: bytes) -> None:
        """Pass on the whole frames."""
        data = self._rest + data
        whole = len(data) - len(data) % self._frame_bytes
        self._rest = data[whole:]
        if whole:
            samples = self._expand(data[:whole])
            if self._channels > 1:
                samples = samples.reshape(-1, self._channels).mean(axis=1).astype(np.int16)
            await self._sink(samples.astype("<i2", copy=False).tobytes())

    async def settle(self) -> None:
        """Nothing is held back."""

    async def end(self) -> None:
        """Refuse a part of a frame."""
        if self._rest:
            raise AudioFormatMismatchError("the stream ends within a sample, or without one for each channel")


def linear16_decoder(sink: Sink, channels: int) -> PlainDecoder:
    """A decoder of 16-bit little-endian samples."""
    return PlainDecoder(sink, SAMPLE_BYTES, channels, pcm16_from_bytes)


def mulaw_decoder(sink: Sink, channels: int) -> PlainDecoder:
    """A decoder of G.711 mu-law, a byte a sample."""
    return PlainDecoder(sink, 1, channels, mulaw_to_pcm16)
