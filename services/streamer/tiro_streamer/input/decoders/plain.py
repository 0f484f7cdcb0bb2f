"""The decoder of encodings whose bytes are samples."""

from collections.abc import Callable

from tiro_core.audio.errors import AudioFormatMismatchError
from tiro_core.audio.pcm import SAMPLE_BYTES, mulaw_to_pcm16, pcm16_from_bytes
from tiro_streamer.input.decoders.interface import Sink
from tiro_streamer.input.decoders.mixer import Mixer


class PlainDecoder:
    """Turns bytes into PCM16 of one channel.

    A message may end within a sample, or between the channels of a frame; the stream may not.
    """

    def __init__(self, sink: Sink, frame_bytes: int, to_pcm16: Callable[[bytes], bytes]) -> None:
        """Prepare to decode.

        Args:
            sink: Gets the samples.
            frame_bytes: The bytes of one sample of each channel.
            to_pcm16: Turns whole frames into little-endian samples.
        """
        self._sink = sink
        self._frame_bytes = frame_bytes
        self._to_pcm16 = to_pcm16
        self._rest = b""

    async def write(self, data: bytes) -> None:
        """Pass on the whole frames."""
        data = self._rest + data
        whole = len(data) - len(data) % self._frame_bytes
        self._rest = data[whole:]
        if whole:
            await self._sink(self._to_pcm16(data[:whole]))

    async def settle(self) -> None:
        """Do nothing: whole frames are passed on at once."""

    async def end(self) -> None:
        """Refuse an incomplete frame."""
        if self._rest:
            raise AudioFormatMismatchError("the stream ends within a sample, or without one for each channel")


def linear16_decoder(sink: Sink, channels: int, rate_hz: int) -> PlainDecoder:
    """A decoder of 16-bit little-endian samples."""
    # The bytes of one channel, the usual case, need no conversion.
    to_pcm16 = _unchanged if channels == 1 else Mixer(pcm16_from_bytes, channels, rate_hz).mix
    return PlainDecoder(sink, SAMPLE_BYTES * channels, to_pcm16)


def mulaw_decoder(sink: Sink, channels: int, rate_hz: int) -> PlainDecoder:
    """A decoder of G.711 mu-law, a byte a sample."""
    return PlainDecoder(sink, channels, Mixer(mulaw_to_pcm16, channels, rate_hz).mix)


def _unchanged(data: bytes) -> bytes:
    return data
