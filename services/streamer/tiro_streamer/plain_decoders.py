"""Encodings whose bytes are samples."""

from tiro_core.audio.errors import AudioFormatMismatchError
from tiro_core.audio.pcm import SAMPLE_BYTES, mulaw_to_pcm16
from tiro_streamer.decoder import Sink


class Linear16Decoder:
    """Passes samples on. A message may end within a sample; the stream may not."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._half = b""

    async def write(self, data: bytes) -> None:
        """Pass on the whole samples."""
        data = self._half + data
        whole = len(data) - len(data) % SAMPLE_BYTES
        self._half = data[whole:]
        if whole:
            await self._sink(data[:whole])

    async def settle(self) -> None:
        """Nothing is held back."""

    async def end(self) -> None:
        """Refuse half a sample."""
        if self._half:
            raise AudioFormatMismatchError("the stream ends within a 16-bit sample")


class MulawDecoder:
    """Expands each byte to a sample."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def write(self, data: bytes) -> None:
        """Expand and pass on."""
        await self._sink(mulaw_to_pcm16(data).astype("<i2", copy=False).tobytes())

    async def settle(self) -> None:
        """Nothing is held back."""

    async def end(self) -> None:
        """Nothing is left."""
